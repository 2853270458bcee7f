"""Where the files of an artifact lie in the container.

KFP's launcher copies each input artifact below /minio, /s3 or /gcs before the step's command starts, and copies from
there afterwards (backend/src/v2/component/launcher_v2.go, LocalPathForURI); but it tells the command the URI.
TensorFlow opens neither minio:// nor s3://. Vertex AI has no launcher: there TensorFlow opens gs:// itself.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

MIRRORS = {"minio://": "minio", "s3://": "s3", "gs://": "gcs"}
# Where the launcher's folders lie, if not in the root of the file system.
ROOT_VARIABLE = "EFFNET_MIRROR_ROOT"


def mirror(uri: str, root: str) -> str | None:
    """The launcher's copy of `uri`; None for a storage that it does not know."""
    for scheme, folder in MIRRORS.items():
        if uri.startswith(scheme):
            return str(Path(root) / folder / uri.removeprefix(scheme))
    return None


def places(uris: Iterable[str], remote: bool, root: str | None = None) -> dict[str, str]:
    """Maps each URI to what the step opens instead of it: a local folder, or the URI itself.

    Args:
      uris: of all artifacts of a step.
      remote: the step's workers are other machines, which see no local folder.
      root: where the launcher's folders lie.

    Raises:
      ValueError: TensorFlow cannot open a URI, and the launcher has not copied it.
    """
    root = root or os.environ.get(ROOT_VARIABLE, "/")
    mirrors = {uri: mirror(uri, root) for uri in uris}
    # The launcher makes the folder above each output, and that of each input which holds a file.
    launched = not remote and any(path and Path(path).parent.is_dir() for path in mirrors.values())
    chosen = {uri: path if launched and path else uri for uri, path in mirrors.items()}
    for uri, place in chosen.items():
        if place.startswith(("minio://", "s3://")):
            raise ValueError(f"{uri}: TensorFlow cannot open it, and the launcher has not copied it to {mirrors[uri]}")
    return chosen


def restore(text: str, chosen: Mapping[str, str]) -> str:
    """Puts the URIs back into a JSON text in which the places stand; the launcher uploads by URI."""
    for uri, place in sorted(chosen.items(), key=lambda pair: len(pair[1]), reverse=True):
        text = text.replace(json.dumps(place)[1:-1], json.dumps(uri)[1:-1])
    return text
