"""Runs as ML Metadata has them: how each step ended, and its artifacts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from pipeline.steps.code_keys import CODE_KEY

# Properties of a run: that it was not meant to reach the pipeline's end, and how long all of it took.
PARTIAL, SECONDS = "partial", "seconds"
DONE_STATES = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


class NoSuchRun(ValueError):
    """There is no run of that number."""


@dataclass(frozen=True)
class StepRecord:
    """One component's execution in a run; `code` is the key of its code, "" from versions without such keys."""

    done: bool
    cached: bool
    code: str = ""
    outputs: dict[str, metadata_store_pb2.Artifact] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run of the pipeline.

    Attributes:
      number: counted from 1, the oldest run.
      run_id: its unique name.
      started: local time.
      seconds: its duration, loading TFX included; of a killed run from its first step to the last change noted.
      steps: by component id, without steps that never started.
    """

    number: int
    run_id: str
    started: datetime
    seconds: float
    steps: dict[str, StepRecord]

    @property
    def undone(self) -> list[str]:
        """Steps that began and did not succeed."""
        return [name for name, step in self.steps.items() if not step.done]

    def output(self, step: str, key: str) -> str:
        """The path of a step's output; "" if the step did not succeed."""
        record = self.steps.get(step)
        return record.outputs[key].uri if record and record.done and key in record.outputs else ""


def open_store(database: Path, to_read: bool = False) -> mlmd.MetadataStore:
    """The SQLite metadata store at `database`; with `to_read` it must exist, and may belong to another user."""
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(database)
    if to_read:
        connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    return mlmd.MetadataStore(connection)


def all_runs(database: Path, last: int | None = None) -> list[RunRecord]:
    """All runs except those that `mark_partial` has marked, the oldest first; none if nothing ran yet.

    Args:
      database: of the pipeline.
      last: how many of the newest; None: all.
    """
    store, runs = _numbered(database)
    return _records(store, runs if last is None else runs[-last:])


def count_runs(database: Path) -> int:
    """How many runs `all_runs` has."""
    return len(_numbered(database)[1])


def run_of_id(database: Path, run_id: str) -> RunRecord:
    """The run of that name.

    Raises:
      NoSuchRun: there is none, because its first step never began.
    """
    store, runs = _numbered(database)
    named = [(number, context) for number, context in runs if context.name == run_id]
    if named:
        return _records(store, named)[0]
    raise NoSuchRun(f"there is no run {run_id} in {database}: its first step never began")


def find_run(database: Path, number: int | None) -> RunRecord:
    """The run of that number; None is the newest.

    Raises:
      NoSuchRun: there is none.
    """
    store, runs = _numbered(database)
    if not runs:
        raise NoSuchRun(f"no runs yet in {database.parent}; start one with `effnet run`")
    number = len(runs) if number is None else number
    if not 1 <= number <= len(runs):
        raise NoSuchRun(f"got run {number}, expected 1 to {len(runs)}: `effnet runs` lists them")
    return _records(store, runs[number - 1 : number])[0]


def node_of(store: mlmd.MetadataStore, execution_id: int) -> str:
    """The id of the component that an execution is of."""
    node_type = store.get_context_type("node").id
    nodes = [context.name for context in store.get_contexts_by_execution(execution_id) if context.type_id == node_type]
    return str(nodes[0].rpartition(".")[2])


_Numbered = list[tuple[int, metadata_store_pb2.Context]]


def _numbered(database: Path) -> tuple[mlmd.MetadataStore | None, _Numbered]:
    """The store, None if there is none yet, and its runs by number."""
    if not database.exists():
        return None, []
    store = open_store(database, to_read=True)
    if "pipeline_run" not in {kind.name for kind in store.get_context_types()}:
        return store, []
    return store, list(enumerate(run_contexts(store), start=1))


def _records(store: mlmd.MetadataStore | None, runs: _Numbered) -> list[RunRecord]:
    """The records of some runs, in one query for each run and a constant number besides."""
    if store is None or not runs:
        return []
    executions = {context.id: store.get_executions_by_context(context.id) for _, context in runs}
    ids = [execution.id for found in executions.values() for execution in found]
    nodes, outputs = _nodes(store, ids, len(runs)), _outputs(store, ids)
    records = []
    for number, context in runs:
        steps = {
            nodes[execution.id]: StepRecord(
                done=execution.last_known_state in DONE_STATES,
                cached=execution.last_known_state == metadata_store_pb2.Execution.CACHED,
                code=_text(execution, CODE_KEY),
                outputs=outputs.get(execution.id, {}),
            )
            for execution in executions[context.id]
        }
        began = context.create_time_since_epoch
        last_change = max((one.last_update_time_since_epoch for one in executions[context.id]), default=began)
        noted = context.custom_properties
        seconds = noted[SECONDS].double_value if SECONDS in noted else max(last_change - began, 0) / 1000
        records.append(RunRecord(number, context.name, local_time(began), seconds, steps))
    return records


def _nodes(store: mlmd.MetadataStore, executions: Sequence[int], runs: int) -> dict[int, str]:
    """The component ids of the executions of so many runs.

    Of many runs one query for each component finds the newest ones, and only what is older is looked up one by one. A
    filter would say it in fewer words, but ML Metadata 1.21 has none.
    """
    found: dict[int, str] = {}
    if runs > 1:
        newest = mlmd.ListOptions(limit=2 * runs, order_by=mlmd.OrderByField.ID, is_asc=False)
        for node in store.get_contexts_by_type("node"):
            of_node = store.get_executions_by_context(node.id, list_options=newest)
            found |= {execution.id: node.name.rpartition(".")[2] for execution in of_node}
    return {execution: found.get(execution) or node_of(store, execution) for execution in executions}


def _text(execution: metadata_store_pb2.Execution, name: str) -> str:
    return execution.custom_properties[name].string_value if name in execution.custom_properties else ""


def run_contexts(store: mlmd.MetadataStore) -> list[metadata_store_pb2.Context]:
    """The contexts of the runs of `all_runs`, in the order of their ids, because a clock may be set back."""
    runs = sorted(store.get_contexts_by_type("pipeline_run"), key=lambda run: run.id)
    return [run for run in runs if PARTIAL not in run.custom_properties]


def mark_partial(database: Path, run_id: str) -> None:
    """Marks a run as not meant to reach the end, so that it does not count as failed."""
    _note(database, run_id, PARTIAL, metadata_store_pb2.Value(int_value=1))


def note_seconds(database: Path, run_id: str, seconds: float) -> None:
    """Notes with a run how long all of it took, if its first step began."""
    _note(database, run_id, SECONDS, metadata_store_pb2.Value(double_value=seconds))


def _note(database: Path, run_id: str, name: str, value: metadata_store_pb2.Value) -> None:
    store = open_store(database)
    if run := store.get_context_by_type_and_name("pipeline_run", run_id):
        run.custom_properties[name].CopyFrom(value)
        store.put_contexts([run])


def _outputs(store: mlmd.MetadataStore, executions: Sequence[int]) -> dict[int, dict[str, metadata_store_pb2.Artifact]]:
    """What executions wrote, by their id and the output's key."""
    events = store.get_events_by_execution_ids(list(executions)) if executions else []
    written = [one for one in events if one.type == metadata_store_pb2.Event.OUTPUT and one.path.steps]
    artifacts = {found.id: found for found in store.get_artifacts_by_id([one.artifact_id for one in written])}
    outputs: dict[int, dict[str, metadata_store_pb2.Artifact]] = {}
    for event in written:
        outputs.setdefault(event.execution_id, {})[event.path.steps[0].key] = artifacts[event.artifact_id]
    return outputs


def local_time(milliseconds: int) -> datetime:
    """A moment that ML Metadata noted, in this machine's time zone."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
