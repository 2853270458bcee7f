"""The folder that TensorFlow Serving watches: versions come whole, go whole, and the one that is served never goes.

A model is written beside the versions, under a name that TensorFlow Serving ignores, and then renamed: whenever the
process is killed, what is served is whole. An object store cannot rename a folder; there saved_model.pb, without which
nobody takes a folder for a model, is written last.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fasteners import InterProcessLock

from components.common import durable, files
from components.common.errors import PushError, Withdrawn
from components.served_model.record import RECORD_FILE, PushRecord, write_record
from components.served_model.versions import (
    LARGEST_VERSION,
    SAVED_MODEL_FILE,
    Pushed,
    fingerprint,
    pushed_models,
    pushed_versions,
    version_folders,
    withdrawn,
)

LOCK_FILE = ".lock"
INCOMING, OUTGOING = ".incoming-", ".outgoing-"
LOCK_SECONDS = 300.0  # what writing a large model to a slow disk may take


def push(
    saved_model: str,
    push_path: str,
    record: PushRecord,
    keep: int,
    notes: Mapping[str, str] | None = None,
    added: str = "",
) -> Pushed:
    """Makes `saved_model` the served version; then deletes the oldest versions until `keep` are left.

    A model that is served already is not pushed a second time.

    Args:
        saved_model: folder of the model.
        push_path: folder of the versions; it need not exist.
        record: what is known of the model; when it is pushed, and what was withdrawn, is noted here.
        keep: versions that may stay.
        notes: texts to write beside the model, by file name.
        added: folder whose files are added to the model's; "" or one that does not exist: none.

    Raises:
        Withdrawn: if the model was rolled back from.
        PushError: if it cannot be written. What was served stays.
    """
    with _alone(push_path):
        models = pushed_models(push_path)
        identity = fingerprint(saved_model)
        refused = withdrawn(models)
        if models and models[0].fingerprint == identity:
            return _with_record(push_path, models[0], replace(record, withdrawn=tuple(sorted(refused))))
        if identity in refused:
            raise Withdrawn(
                f"got a model that was rolled back from {push_path}; it is not served again by itself: "
                "`effnet models` lists the versions, `effnet rollback VERSION` serves one"
            )

        def fill(folder: str) -> PushRecord:
            for name in files.walk(saved_model):
                if name != SAVED_MODEL_FILE:
                    files.copy(files.join(saved_model, name), files.join(folder, name))
            for name in files.walk(added) if added else ():
                files.copy(files.join(added, name), files.join(folder, name))
            noted = replace(record, pushed_at=_now(), withdrawn=tuple(sorted(refused)))
            write_record(folder, noted)
            for name, text in (notes or {}).items():
                files.write_text(files.join(folder, name), text)
            files.copy(files.join(saved_model, SAVED_MODEL_FILE), files.join(folder, SAVED_MODEL_FILE))
            return noted

        version, noted = _add_version(push_path, fill)
        _prune(push_path, keep)
        return Pushed(version, noted, identity)


def _with_record(push_path: str, served: Pushed, record: PushRecord) -> Pushed:
    """Returns what is served, with a new record if its own was lost; when it was pushed nobody knows any more."""
    if not served.record_is_lost:
        return served
    write_record(files.join(push_path, served.version), record)
    return Pushed(served.version, record, served.fingerprint)


def rollback(push_path: str, version: str | None, keep: int) -> Pushed:
    """Serves an older model again, as a new version, since TensorFlow Serving takes the largest number.

    The model that was served is withdrawn: it is no baseline, and not pushed again unless it is asked for here.

    Args:
        push_path: folder of the pushed versions.
        version: the version to serve; None: the newest one from before the model that is served.
        keep: versions that may stay.

    Raises:
        PushError: if there is no such version, it is served already, or it cannot be written. What was served stays.
    """
    with _alone(push_path):
        models = pushed_models(push_path)
        if not models:
            raise PushError(f"no model is served from {push_path}; `effnet run` pushes one")
        served, target = models[0], _choose(models, version)
        record = replace(
            target.record,
            pushed_at=_now(),
            rollback_of=target.record.rollback_of or target.version,
            withdrawn=tuple(sorted({*withdrawn(models), served.fingerprint} - {target.fingerprint, ""})),
        )

        def fill(folder: str) -> PushRecord:
            source = files.join(push_path, target.version)
            files.bring(source, folder, leave_out=(RECORD_FILE, SAVED_MODEL_FILE))
            write_record(folder, record)
            files.bring(source, folder, leave_out=[name for name in files.walk(source) if name != SAVED_MODEL_FILE])
            return record

        new_version, _ = _add_version(push_path, fill)
        _prune(push_path, keep)
        return Pushed(new_version, record, target.fingerprint)


def _choose(models: list[Pushed], version: str | None) -> Pushed:
    """Returns the model to go back to; `models` as `pushed_models` lists them."""
    served = models[0]
    names = ", ".join(model.version for model in models)
    if version is not None:
        chosen = [model for model in models if model.version == version]
        if not chosen:
            raise PushError(f"got version {version}, expected one of: {names}")
        if not chosen[0].fingerprint:
            raise PushError(f"version {version} cannot be served: {chosen[0].problem}")
        if chosen[0].fingerprint == served.fingerprint:
            raise PushError(f"version {version} is the model that is served already, as version {served.version}")
        return chosen[0]
    origin = int(served.record.rollback_of or served.version)
    older = [
        model
        for model in models
        if int(model.version) < origin and model.fingerprint not in (served.fingerprint, "", *withdrawn(models))
    ]
    if not older:
        raise PushError(f"no model from before version {origin} is kept; name the version to serve, one of: {names}")
    return older[0]


def _add_version(push_path: str, fill: Callable[[str], PushRecord]) -> tuple[str, PushRecord]:
    """Lets `fill` write a model to a folder, and makes it the largest version, whatever the clock says."""
    newest = int(next(iter(version_folders(push_path)), 0))
    if newest == LARGEST_VERSION:
        raise PushError(f"{push_path} has version {newest}, and there can be no larger one: delete or rename it")
    version = str(max(int(time.time()), newest + 1))
    if files.is_remote(push_path):
        return version, fill(files.join(push_path, version))
    staged = Path(push_path) / f"{INCOMING}{version}"
    record = fill(str(staged))
    durable.rename_folder(staged, Path(push_path) / version)
    return version, record


def _prune(push_path: str, keep: int) -> None:
    """Deletes the oldest versions beyond `keep`; the newest, which is served, always stays."""
    for version in pushed_versions(push_path)[max(keep, 1) :]:
        folder = files.join(push_path, version)
        if files.is_remote(push_path):
            files.delete(files.join(folder, SAVED_MODEL_FILE))
        else:
            gone = files.join(push_path, f"{OUTGOING}{version}")
            Path(folder).rename(gone)
            folder = gone
        files.delete(folder)


@contextlib.contextmanager
def _alone(push_path: str) -> Iterator[None]:
    """Keeps other pushes out of a local folder and clears away what a killed one left; OSError becomes PushError."""
    try:
        if files.is_remote(push_path):
            yield
            return
        Path(push_path).mkdir(parents=True, exist_ok=True)
        lock = InterProcessLock(Path(push_path) / LOCK_FILE)  # the kernel lets go of it when the process is killed
        if not lock.acquire(timeout=LOCK_SECONDS):
            raise PushError(f"another push to {push_path} did not end within {LOCK_SECONDS:.0f} s; wait for it")
        try:
            _clear_leftovers(Path(push_path))
            yield
        except OSError:
            _clear_leftovers(Path(push_path))  # a full disk gets its space back at once
            raise
        finally:
            lock.release()
    except OSError as error:
        raise PushError(
            f"cannot write to {push_path}: {error.strerror or error}; what was served stays. "
            "Make room there, allow writing or change push.path, then run again"
        ) from error


def _clear_leftovers(push_path: Path) -> None:
    for leftover in (*push_path.glob(f"{INCOMING}*"), *push_path.glob(f"{OUTGOING}*")):
        files.delete(str(leftover))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
