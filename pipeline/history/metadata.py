"""What ML Metadata remembers of runs: which steps ended how, and the artifacts they gave."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from pipeline.steps.code_keys import CODE_KEY

# Properties of runs: that it was not meant to reach the pipeline's end, and how long it took in all.
PARTIAL, SECONDS = "partial", "seconds"
DONE_STATES = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


class NoSuchRun(ValueError):
    """There is no run of that number."""


@dataclass(frozen=True)
class StepRecord:
    """One component's execution in a run; `code` is the key of what it ran, "" of versions without such keys."""

    done: bool
    cached: bool
    code: str = ""
    outputs: dict[str, metadata_store_pb2.Artifact] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run of the pipeline.

    Attributes:
      number: counted from 1, the oldest run.
      run_id: its name, which no other run has.
      started: local time.
      seconds: it took, TFX's loading included; of a run that was killed, from its first step to the last change noted.
      steps: by component id; a step that never started is not among them.
    """

    number: int
    run_id: str
    started: datetime
    seconds: float
    steps: dict[str, StepRecord]

    @property
    def undone(self) -> list[str]:
        """Steps that began and did not end well."""
        return [name for name, step in self.steps.items() if not step.done]

    def output(self, step: str, key: str) -> str:
        """Where an output of a step lies; "" if the step did not come to its end."""
        record = self.steps.get(step)
        return record.outputs[key].uri if record and record.done and key in record.outputs else ""


def open_store(database: Path, to_read: bool = False) -> mlmd.MetadataStore:
    """The SQLite metadata store at `database`; `to_read`: it must exist, and may belong to another user."""
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(database)
    if to_read:
        connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    return mlmd.MetadataStore(connection)


def all_runs(database: Path, last: int | None = None) -> list[RunRecord]:
    """Every run but those that `mark_partial` has marked, the oldest first; none if nothing ran yet.

    Args:
      database: of the pipeline.
      last: only so many, the newest ones; None: all.
    """
    runs = _numbered(database)
    return [_run(*run) for run in (runs if last is None else runs[-last:])]


def count_runs(database: Path) -> int:
    """How many runs `all_runs` has."""
    return len(_numbered(database))


def run_of_id(database: Path, run_id: str) -> RunRecord:
    """The run of that name.

    Raises:
      NoSuchRun: there is none, as if its first step never began.
    """
    for store, number, context in _numbered(database):
        if context.name == run_id:
            return _run(store, number, context)
    raise NoSuchRun(f"the run {run_id} left nothing in {database}: its first step never began")


def find_run(database: Path, number: int | None) -> RunRecord:
    """The run of that number; None is the newest.

    Raises:
      NoSuchRun: there is none.
    """
    runs = _numbered(database)
    if not runs:
        raise NoSuchRun(f"no runs yet in {database.parent}; start one with `effnet run`")
    number = len(runs) if number is None else number
    if not 1 <= number <= len(runs):
        raise NoSuchRun(f"got run {number}, expected 1 to {len(runs)}: `effnet runs` lists them")
    return _run(*runs[number - 1])


def node_of(store: mlmd.MetadataStore, execution_id: int) -> str:
    """The id of the component that an execution is of."""
    node_type = store.get_context_type("node").id
    nodes = [context.name for context in store.get_contexts_by_execution(execution_id) if context.type_id == node_type]
    return str(nodes[0].rpartition(".")[2])


def _numbered(database: Path) -> list[tuple[mlmd.MetadataStore, int, metadata_store_pb2.Context]]:
    """The runs by their number, with the store that knows more of each: what that is takes some queries a step."""
    if not database.exists():
        return []
    store = open_store(database, to_read=True)
    if "pipeline_run" not in {kind.name for kind in store.get_context_types()}:
        return []
    return [(store, number, context) for number, context in enumerate(run_contexts(store), start=1)]


def _run(store: mlmd.MetadataStore, number: int, context: metadata_store_pb2.Context) -> RunRecord:
    executions = store.get_executions_by_context(context.id)
    steps = {
        node_of(store, execution.id): StepRecord(
            done=execution.last_known_state in DONE_STATES,
            cached=execution.last_known_state == metadata_store_pb2.Execution.CACHED,
            code=execution.custom_properties[CODE_KEY].string_value if CODE_KEY in execution.custom_properties else "",
            outputs=_outputs(store, execution.id),
        )
        for execution in executions
    }
    began = context.create_time_since_epoch
    last_change = max((execution.last_update_time_since_epoch for execution in executions), default=began)
    noted = context.custom_properties
    seconds = noted[SECONDS].double_value if SECONDS in noted else max(last_change - began, 0) / 1000
    return RunRecord(number, context.name, local_time(began), seconds, steps)


def run_contexts(store: mlmd.MetadataStore) -> list[metadata_store_pb2.Context]:
    """Of every run as `all_runs` has them, by their ids, which grow: the clock may have been set back in between."""
    runs = sorted(store.get_contexts_by_type("pipeline_run"), key=lambda run: run.id)
    return [run for run in runs if PARTIAL not in run.custom_properties]


def mark_partial(database: Path, run_id: str) -> None:
    """Marks a run as one that was not to reach the end, so that nobody takes it for a failed one."""
    _note(database, run_id, PARTIAL, metadata_store_pb2.Value(int_value=1))


def note_seconds(database: Path, run_id: str, seconds: float) -> None:
    """Notes with a run, if it came to its first step, how long all of it took."""
    _note(database, run_id, SECONDS, metadata_store_pb2.Value(double_value=seconds))


def _note(database: Path, run_id: str, name: str, value: metadata_store_pb2.Value) -> None:
    store = open_store(database)
    if run := store.get_context_by_type_and_name("pipeline_run", run_id):
        run.custom_properties[name].CopyFrom(value)
        store.put_contexts([run])


def _outputs(store: mlmd.MetadataStore, execution_id: int) -> dict[str, metadata_store_pb2.Artifact]:
    events = store.get_events_by_execution_ids([execution_id])
    keys = {
        event.artifact_id: event.path.steps[0].key
        for event in events
        if event.type == metadata_store_pb2.Event.OUTPUT and event.path.steps
    }
    found: Sequence[metadata_store_pb2.Artifact] = store.get_artifacts_by_id(list(keys))
    return {keys[artifact.id]: artifact for artifact in found}


def local_time(milliseconds: int) -> datetime:
    """A moment that ML Metadata noted, in this machine's time zone."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
