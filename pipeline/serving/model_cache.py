"""Copies of remote models on this machine's disk: TensorFlow and ONNX Runtime open local files only."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from pathlib import Path

from components.common import durable, files
from components.served_model.versions import fingerprint

FOLDER = "tfx-efficientnet/models"  # below the user's cache
KEPT_SECONDS = 7 * 24 * 3600  # that a copy which nobody asks for stays


def local_copy(model_path: str) -> str:
    """Returns a folder of this machine with what a version holds; a local version is its own.

    A copy is named by the digest of where the version is and what it holds, and is taken again as long as both are the
    same. Two processes may copy at once; a copy that was cut short is never taken.

    Args:
        model_path: folder of a version, which is never written again.

    Raises:
        OSError: if it cannot be read, or the cache not be written.
    """
    if not files.is_remote(model_path):
        return model_path
    sizes = files.sizes(model_path)
    identity = json.dumps([model_path, fingerprint(model_path), sizes])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / FOLDER
    folder = cache / hashlib.sha256(identity.encode()).hexdigest()
    if not folder.exists():
        _copy(model_path, sizes, folder)
    os.utime(folder)
    _forget_old(cache)
    return str(folder)


def _copy(model_path: str, sizes: dict[str, int], folder: Path) -> None:
    beside = folder.with_name(f".{secrets.token_hex(8)}")
    try:
        for name in sizes:
            files.copy(files.join(model_path, name), str(beside / name))
        if files.sizes(str(beside)) != sizes:
            raise OSError(f"{model_path} changed while it was copied; try again")
        durable.rename_folder(beside, folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if not folder.exists():  # else another process was faster
            raise


def _forget_old(cache: Path) -> None:
    """Deletes copies that nobody asked for of late, and what killed processes left; another may do so as well."""
    for entry in cache.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - entry.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(entry)
