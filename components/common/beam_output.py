"""What a Beam step writes is right whatever the engine repeats or leaves behind.

An engine may run a step again into the same folder, with another number of shards, and a worker that dies leaves Beam's
temporary files there. So a step starts in empty folders, counts what is stored in them, and deletes what is temporary.
"""

import os
from pathlib import Path

from components.common import files
from components.common.executor_types import Artifacts


def empty(outputs: Artifacts) -> None:
    """Empties the folders of a step's outputs: an earlier attempt's shards would count as this one's.

    Raises:
        OSError: if something cannot be deleted.
    """
    for folder in _folders(outputs):
        if files.is_remote(folder):
            content = [files.join(folder, name) for name in files.walk(folder)]
        else:
            content = [str(path) for path in Path(folder).iterdir()] if Path(folder).is_dir() else []
        for path in content:
            files.delete(path)


def delete_temporary(outputs: Artifacts) -> None:
    """Deletes the temporary folders of bundles that ran twice, which programs that read a whole folder stumble over.

    Raises:
        OSError: if something cannot be deleted.
    """
    for folder in _folders(outputs):
        if files.is_remote(folder):
            found = [name for name in files.walk(folder) if files.is_temporary(name)]
        else:
            found = [str(Path(parent, name)) for parent, names, _ in os.walk(folder) for name in names]
            found = [os.path.relpath(path, folder) for path in found if files.is_temporary(Path(path).name)]
        for name in found:
            files.delete(files.join(folder, name))


def _folders(outputs: Artifacts) -> list[str]:
    return [artifact.uri for artifacts in outputs.values() for artifact in artifacts]
