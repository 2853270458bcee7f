"""Which pushed model is in production.

Pusher writes `<push_path>/<version>/saved_model.pb`; TensorFlow Serving serves the largest version.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from components.common import files
from components.common.errors import DamagedRecord, GateError, one_line
from components.served_model.record import PushRecord, is_version, read_record

SAVED_MODEL_FILE = "saved_model.pb"
_MODEL_PARTS = (SAVED_MODEL_FILE, "fingerprint.pb", "variables/")  # none of which TensorFlow ever writes empty
SERVED_FILE = "served.json"


@dataclass(frozen=True)
class ServedVersion:
    """A pushed model.

    Attributes:
        version: name of its folder, a number; "" if nothing is served.
        fingerprint: sha256 (64 hex digits) that tells SavedModels apart; "" if nothing is served.
    """

    version: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Pushed:
    """A version below a push path.

    Attributes:
        version: name of its folder.
        record: what is noted of it; an empty one if that cannot be read.
        fingerprint: of its model; "" if the model is damaged, so that nobody can serve it.
        problem: what is wrong with the record or the model; "" if nothing is.
        record_is_lost: whether the record cannot be read.
    """

    version: str
    record: PushRecord
    fingerprint: str
    problem: str = ""
    record_is_lost: bool = False


def find_baseline(push_path: str, candidate: str) -> ServedVersion:
    """Returns the newest pushed version that is neither the candidate itself nor was rolled back from, or none.

    A candidate that was pushed before is judged again when a run is repeated: its baseline is then still what was
    served before it, so that the repetition decides as the first run did, and hits the cache.

    Args:
        push_path: folder of the pushed versions; it need not exist.
        candidate: folder of the candidate's SavedModel.

    Raises:
        GateError: if there are versions, but none that can be read: that is not the same as that nothing is served.
    """
    models = pushed_models(push_path)
    if models and not any(model.fingerprint for model in models):
        raise GateError(_all_damaged(push_path, models))
    return baseline_among(models, fingerprint(candidate))


def baseline_among(models: Sequence[Pushed], candidate: str) -> ServedVersion:
    """Returns the newest of `models`, by `pushed_models`, that a candidate of this fingerprint has to beat, or none."""
    no_baseline = {candidate, "", *withdrawn(models)}
    for model in models:
        if model.fingerprint not in no_baseline:
            return ServedVersion(model.version, model.fingerprint)
    return ServedVersion()


def pushed_versions(push_path: str) -> list[str]:
    """Returns the versions below `push_path` that hold a SavedModel, the newest first.

    Raises:
        GateError: if they cannot be listed.
    """
    names = version_folders(push_path)
    try:
        return [name for name in names if files.exists(files.join(push_path, name, SAVED_MODEL_FILE))]
    except OSError as error:
        raise GateError(_unreadable(push_path, error)) from error


def version_folders(push_path: str) -> list[str]:
    """Returns the folders below `push_path` that TensorFlow Serving takes for versions, the newest first.

    Raises:
        GateError: if they cannot be listed.
    """
    try:
        if files.is_remote(push_path):
            names = [path.split("/")[-2] for path in files.find(push_path, f"*/{SAVED_MODEL_FILE}")]
        else:
            names = [entry.name for entry in os.scandir(push_path) if entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise GateError(_unreadable(push_path, error)) from error
    # As TensorFlow Serving does, 007 counts; beside a 7 nobody could say which of them is served.
    by_number = {int(name): name for name in sorted(names, key=len, reverse=True) if is_version(name)}
    return [by_number[number] for number in sorted(by_number, reverse=True)]


def pushed_models(push_path: str) -> list[Pushed]:
    """Returns every version, the newest first, whole or damaged.

    Raises:
        GateError: if they cannot be listed.
    """
    return [_look_at(push_path, version) for version in pushed_versions(push_path)]


def withdrawn(models: Sequence[Pushed]) -> frozenset[str]:
    """Returns the fingerprints of what was rolled back from, as the newest version of `models` notes it.

    If that note cannot be read, every older model may have been rolled back from, and counts as if it were.
    """
    if not models or not models[0].record_is_lost:
        return frozenset(models[0].record.withdrawn if models else ())
    noted = {one for model in models for one in (*model.record.withdrawn, model.fingerprint)}
    return frozenset(noted - {models[0].fingerprint, ""})


def servable(push_path: str) -> list[Pushed]:
    """Returns the versions that may answer, the newest first: whole, and nobody rolled back from them.

    Raises:
        GateError: if there are versions, but none that may.
    """
    models = pushed_models(push_path)
    out = withdrawn(models)
    found = [model for model in models if model.fingerprint and model.fingerprint not in out]
    if models and not found:
        raise GateError(_all_damaged(push_path, models))
    return found


def served_path(push_path: str) -> str:
    """Returns the folder of the newest version that may answer; "" if nothing was pushed, or no `push_path`.

    Raises:
        GateError: if there are versions, but none that may.
    """
    versions = pushed_versions(push_path) if push_path else []
    if versions and not _look_at(push_path, versions[0]).fingerprint:
        versions = [model.version for model in servable(push_path)]
    return files.join(push_path, versions[0]) if versions else ""


def _look_at(push_path: str, version: str) -> Pushed:
    folder = files.join(push_path, version)
    record, problems = PushRecord(), []
    try:
        record = read_record(folder)
    except DamagedRecord as error:
        problems.append(str(error))
    lost, identity = bool(problems), ""
    try:
        if empty := [name for name, size in files.sizes(folder).items() if not size and name.startswith(_MODEL_PARTS)]:
            problems.append(f"the model is damaged: {', '.join(empty)} empty")
        else:
            identity = fingerprint(folder)
    except OSError as error:
        problems.append(f"the model cannot be read ({one_line(error)})")
    return Pushed(version, record, identity, "; ".join(problems), lost)


def _unreadable(push_path: str, error: OSError) -> str:
    return (
        f"what is served from {push_path} cannot be read ({one_line(error)}), so nothing can be compared with it or "
        "pushed there: mend that folder, or choose another push.path"
    )


def _all_damaged(push_path: str, models: Sequence[Pushed]) -> str:
    problems = "; ".join(f"version {one.version}: {one.problem or 'it may be rolled back from'}" for one in models)
    return (
        f"no version in {push_path} is whole, so nobody knows what is served ({problems}): restore one from a backup, "
        "or delete these folders to begin anew"
    )


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
