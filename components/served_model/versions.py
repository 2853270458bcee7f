"""Which pushed model is in production.

Pusher writes `<push_path>/<version>/saved_model.pb`; TensorFlow Serving serves the largest version.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from components.common import files
from components.served_model.record import read_record

SAVED_MODEL_FILE = "saved_model.pb"
SERVED_FILE = "served.json"
MOST_VERSION, MOST_DIGITS = 2**63 - 1, 40  # leading zeros may stand before it


@dataclass(frozen=True)
class ServedVersion:
    """A pushed model.

    Attributes:
        version: name of its folder, a number; "" if nothing is served.
        fingerprint: sha256 (64 hex digits) that tells SavedModels apart; "" if nothing is served.
    """

    version: str = ""
    fingerprint: str = ""


def find_baseline(push_path: str, candidate: str) -> ServedVersion:
    """Returns the newest pushed version that is neither the candidate itself nor was rolled back from, or none.

    A candidate that was pushed before is judged again when a run is repeated: its baseline is then still what was
    served before it, so that the repetition decides as the first run did, and hits the cache.

    Args:
        push_path: folder of the pushed versions; it need not exist.
        candidate: folder of the candidate's SavedModel.
    """
    versions = pushed_versions(push_path)
    withdrawn = read_record(files.join(push_path, versions[0])).withdrawn if versions else ()
    no_baseline = {fingerprint(candidate), *withdrawn}
    for version in versions:
        pushed = fingerprint(files.join(push_path, version))
        if pushed not in no_baseline:
            return ServedVersion(version, pushed)
    return ServedVersion()


def pushed_versions(push_path: str) -> list[str]:
    """Returns the versions below `push_path` that hold a SavedModel, the newest first."""
    names = [path.split("/")[-2] for path in files.find(files.join(push_path, "*", SAVED_MODEL_FILE))]
    return sorted(filter(is_version, names), key=int, reverse=True)


def is_version(name: str) -> bool:
    """Tells whether TensorFlow Serving takes a folder's name for a version: ASCII digits that fit an int64."""
    return name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS and int(name) <= MOST_VERSION


def served_path(push_path: str) -> str:
    """Returns the folder of the newest pushed version; "" if there is none or no `push_path`."""
    versions = pushed_versions(push_path) if push_path else []
    return files.join(push_path, versions[0]) if versions else ""


def fingerprint(saved_model: str) -> str:
    """Returns a sha256 of what identifies a SavedModel.

    TensorFlow writes fingerprint.pb for this, with an id of its own for each export; a SavedModel without one is told
    by its graph and the index of its variables.

    Raises:
        OSError: if there is no SavedModel.
    """
    digest = hashlib.sha256()
    own = files.join(saved_model, "fingerprint.pb")
    if files.exists(own):
        digest.update(files.read_bytes(own))
    else:
        digest.update(files.read_bytes(files.join(saved_model, SAVED_MODEL_FILE)))
        index = files.join(saved_model, "variables", "variables.index")
        digest.update(files.read_bytes(index) if files.exists(index) else b"")
    return digest.hexdigest()


def write_served(uri: str, served: ServedVersion) -> None:
    """Notes in the artifact below `uri` which version it is.

    An object store has no empty folders: without the file the artifact of "nothing is served" would not exist there.
    """
    files.write_text(files.join(uri, SERVED_FILE), json.dumps(asdict(served), indent=2) + "\n")


def read_served(uri: str) -> ServedVersion:
    """Returns the version that the artifact below `uri` holds.

    Raises:
        OSError: if the artifact was not written by ServedModel.
    """
    return ServedVersion(**json.loads(files.read_bytes(files.join(uri, SERVED_FILE))))
