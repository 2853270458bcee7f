"""Which images, code and parameters made a pushed model, from ML Metadata."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from components.common.json_types import Json
from components.served_model.versions import pushed_models
from pipeline.config.model import PipelineConfig
from pipeline.history.metadata import local_time, node_of, open_store

Event = metadata_store_pb2.Event
INPUTS, OUTPUTS = (Event.INPUT, Event.DECLARED_INPUT), (Event.OUTPUT, Event.DECLARED_OUTPUT)


class UnknownModel(ValueError):
    """There is no such model, or no record of how it was made."""


@dataclass(frozen=True)
class Made:
    """One step that took part in making a model.

    Attributes:
      step: component id.
      at: local time when it ended.
      parameters: its own; JSON is parsed.
      inputs: paths of the artifacts that it read.
      outputs: paths of the artifacts that it wrote.
    """

    step: str
    at: str
    parameters: dict[str, Json]
    inputs: list[str]
    outputs: list[str]


def lineage(config: PipelineConfig, version: str | None) -> tuple[str, list[Made]]:
    """The version, and the steps that made it, the first one first.

    Args:
      config: whose pushed models and metadata.
      version: as `effnet models` lists it; None is the served one.

    Raises:
      UnknownModel: there is no such version, or this pipeline's metadata has no record of it.
    """
    models = {model.version: model for model in pushed_models(config.push_path)}
    if not models:
        raise UnknownModel(f"no model is served from {config.push_path}; `effnet run` pushes one")
    version = version or next((name for name, model in models.items() if model.fingerprint), next(iter(models)))
    if version not in models:
        raise UnknownModel(f"got version {version}, expected one of: {', '.join(models)}")
    if models[version].record_is_lost:
        raise UnknownModel(f"there is no record of how version {version} was made: {models[version].problem}")
    uri = models[version].record.model_uri
    database = config.metadata_path
    store = open_store(database, to_read=True) if database.exists() and uri else None
    artifacts = store.get_artifacts_by_uri(uri) if store else []
    if store is None or not artifacts:
        raise UnknownModel(f"version {version} was made elsewhere: {database} has no record of {uri or 'its origin'}")
    return version, list(steps_behind(store, artifacts[0].id))


def steps_behind(store: mlmd.MetadataStore, artifact_id: int) -> Iterator[Made]:
    """Yields every step that an artifact depends on, in the order in which they began."""
    executions: dict[int, metadata_store_pb2.Execution] = {}
    touched: dict[int, list[metadata_store_pb2.Event]] = {}  # by execution: what it read and wrote
    artifacts, seen = [artifact_id], {artifact_id}
    while artifacts:
        makers = {event.execution_id for event in store.get_events_by_artifact_ids(artifacts) if event.type in OUTPUTS}
        # A cached step made nothing: the artifact comes from the step that ran.
        new = [found for found in store.get_executions_by_id(makers - executions.keys()) if not _cached(found)]
        executions |= {execution.id: execution for execution in new}
        events = store.get_events_by_execution_ids([execution.id for execution in new]) if new else []
        for event in events:
            touched.setdefault(event.execution_id, []).append(event)
        artifacts = [event.artifact_id for event in events if event.type in INPUTS and event.artifact_id not in seen]
        seen.update(artifacts)
    for execution in (executions[key] for key in sorted(executions)):
        yield _made(store, execution, touched[execution.id])


def _cached(execution: metadata_store_pb2.Execution) -> bool:
    return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)


def _made(
    store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution, events: list[metadata_store_pb2.Event]
) -> Made:
    uris = {found.id: found.uri for found in store.get_artifacts_by_id([event.artifact_id for event in events])}
    ended = local_time(execution.last_update_time_since_epoch)
    return Made(
        step=node_of(store, execution.id),
        at=ended.isoformat(sep=" ", timespec="seconds"),
        parameters={name: _plain(value) for name, value in sorted(execution.custom_properties.items())},
        inputs=[uris[event.artifact_id] for event in events if event.type in INPUTS],
        outputs=[uris[event.artifact_id] for event in events if event.type in OUTPUTS],
    )


def _plain(value: metadata_store_pb2.Value) -> Json:
    found: Json = getattr(value, value.WhichOneof("value"))
    if isinstance(found, str) and found[:1] in ("{", "["):
        try:
            parsed: Json = json.loads(found)
            return parsed
        except json.JSONDecodeError:
            return found
    return found
