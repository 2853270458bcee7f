"""What ML Metadata remembers of a run: which steps ended how, and the artifacts they gave."""

from dataclasses import dataclass, field
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

DONE_STATES = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


@dataclass(frozen=True)
class StepRecord:
    """One component's execution in a run."""

    done: bool
    cached: bool
    outputs: dict[str, metadata_store_pb2.Artifact] = field(default_factory=dict)


def open_store(database: Path) -> mlmd.MetadataStore:
    """The SQLite metadata store at `database`."""
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(database)
    return mlmd.MetadataStore(connection)


def latest_run(database: Path) -> dict[str, StepRecord]:
    """The steps of the newest run, by component id; a step that never started is not among them."""
    store = open_store(database)
    runs = store.get_contexts_by_type("pipeline_run")
    if not runs:
        return {}
    newest = max(runs, key=lambda run: run.create_time_since_epoch)
    node_type = store.get_context_type("node").id
    steps = {}
    for execution in store.get_executions_by_context(newest.id):
        nodes = [node.name for node in store.get_contexts_by_execution(execution.id) if node.type_id == node_type]
        component_id = nodes[0].rpartition(".")[2]
        steps[component_id] = StepRecord(
            done=execution.last_known_state in DONE_STATES,
            cached=execution.last_known_state == metadata_store_pb2.Execution.CACHED,
            outputs=_outputs(store, execution.id),
        )
    return steps


def _outputs(store: mlmd.MetadataStore, execution_id: int) -> dict[str, metadata_store_pb2.Artifact]:
    keys = {
        event.artifact_id: event.path.steps[0].key
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type == metadata_store_pb2.Event.OUTPUT and event.path.steps
    }
    return {keys[artifact.id]: artifact for artifact in store.get_artifacts_by_id(list(keys))}
