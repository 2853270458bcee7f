"""The folder that TensorFlow Serving watches: versions come whole, go whole, and the one that is served never goes.

A model is written beside the versions, under a name that TensorFlow Serving ignores: whenever the process is killed,
what is served is whole. How it then becomes a version is the matter of `Disk` and `ObjectStore`.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from components.atomic_pusher.disk import Disk
from components.atomic_pusher.object_store import ObjectStore
from components.common import files
from components.common.errors import Overtaken, PushError, Withdrawn
from components.served_model.record import LARGEST_VERSION, RECORD_FILE, PushRecord, write_record
from components.served_model.versions import (
    SAVED_MODEL_FILE,
    Pushed,
    baseline_among,
    fingerprint,
    pushed_models,
    pushed_versions,
    version_folders,
    withdrawn,
)


class Versions(Protocol):
    """Where versions are."""

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Within it what is pushed stays as it is, or `add` fails."""

    def add(self, version: str, fill: Callable[[str], PushRecord]) -> tuple[str, PushRecord]:
        """Lets `fill` write a model to a folder that becomes a version; returns the version, and what `fill` did."""

    def remove(self, version: str) -> None:
        """Deletes a version."""


def push(
    saved_model: str,
    push_path: str,
    record: PushRecord,
    keep: int,
    notes: Mapping[str, str] | None = None,
    added: str = "",
    judged_against: str | None = None,
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
        judged_against: fingerprint of the model that the gate compared this one with; "" if nothing was served then,
            None: whatever is served is replaced.

    Raises:
        Withdrawn: if the model was rolled back from.
        Overtaken: if what is served is no longer what the gate compared it with.
        PushError: if it cannot be written. What was served stays.
    """
    with _alone(push_path) as versions:
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
        baseline = baseline_among(models, identity)
        if judged_against not in (None, baseline.fingerprint):
            now = f"version {baseline.version} is served" if baseline.version else "nothing else is served any more"
            raise Overtaken(
                f"{now} from {push_path}, which is not what the gate compared this model with; nothing was pushed. "
                "Run again: the gate then compares with what is served"
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

        version, noted = _add_version(versions, push_path, fill)
        _prune(versions, push_path, keep)
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
    with _alone(push_path) as versions:
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

        new_version, _ = _add_version(versions, push_path, fill)
        _prune(versions, push_path, keep)
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


def _add_version(versions: Versions, push_path: str, fill: Callable[[str], PushRecord]) -> tuple[str, PushRecord]:
    """Lets `fill` write a model to a folder, and makes it the largest version, whatever the clock says."""
    newest = int(next(iter(version_folders(push_path)), 0))
    if newest == LARGEST_VERSION:
        raise PushError(f"{push_path} has version {newest}, and there can be no larger one: delete or rename it")
    return versions.add(str(max(int(time.time()), newest + 1)), fill)


def _prune(versions: Versions, push_path: str, keep: int) -> None:
    """Deletes the oldest versions beyond `keep`; the newest, which is served, always stays."""
    for version in pushed_versions(push_path)[max(keep, 1) :]:
        versions.remove(version)


@contextlib.contextmanager
def _alone(push_path: str) -> Iterator[Versions]:
    """Yields the versions, with other pushes kept out; OSError becomes PushError."""
    versions: Versions = ObjectStore(push_path) if files.is_remote(push_path) else Disk(push_path)
    try:
        with versions.alone():
            yield versions
    except OSError as error:
        raise PushError(
            f"cannot write to {push_path}: {error.strerror or error}; what was served stays. "
            "Make room there, allow writing or change push.path, then run again"
        ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
