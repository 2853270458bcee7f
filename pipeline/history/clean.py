"""Artifacts that are no longer needed, and their deletion.

Kept are the artifacts that the newest runs read or wrote, those behind the pushed models, and the small ones of every
run (verdicts, reports, statistics), so that `effnet runs` and `effnet compare` still show it. The tuner's superseded
searches can be deleted as well.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from components.common import files
from components.common.errors import PushError
from components.served_model.versions import pushed_models
from pipeline.config.model import PipelineConfig
from pipeline.history import contents
from pipeline.history.metadata import open_store, run_contexts
from trainer.tuning import superseded

# The artifact types that use space; all others stay.
LARGE = frozenset({"Examples", "TransformGraph", "TransformCache", "Model", "ModelRun", "PushedModel"})
OUTPUT_FOLDER = re.compile(r"[^./][^/]*/[^./][^/]*/\d+")  # below artifacts/: component, output, execution


@dataclass(frozen=True)
class Unneeded:
    """A folder that can be deleted; `kind` is the artifact's type, `artifact` its id, None if it is not TFX's."""

    path: str
    kind: str
    bytes: int
    artifact: int | None


def find_unneeded(config: PipelineConfig, keep_runs: int) -> list[Unneeded]:
    """What can be deleted, the largest first.

    Args:
      config: of the pipeline.
      keep_runs: how many of the newest runs keep their artifacts, 1 or more.

    Raises:
      PushError: a pushed version is damaged, so that it is unknown what it needs.
    """
    searches = (config.tuning_root / superseded.FOLDER).glob("*")
    folders = [*_unneeded_artifacts(config, keep_runs), *((str(path), "superseded search", None) for path in searches)]
    folders = [entry for entry in folders if Path(entry[0]).is_dir()]
    sizes = _bytes_freed([path for path, _, _ in folders])
    found = [Unneeded(path, kind, sizes[path], artifact) for path, kind, artifact in folders]
    return sorted(found, key=lambda entry: -entry.bytes)


def _unneeded_artifacts(config: PipelineConfig, keep_runs: int) -> list[tuple[str, str, int | None]]:
    """Folder, kind and id of each."""
    database, root = config.metadata_path, config.run_root / "artifacts"
    if not database.exists():
        return []
    store = open_store(database)
    kinds = {kind.id: kind.name for kind in store.get_artifact_types()}
    artifacts = [found for found in store.get_artifacts() if found.state != metadata_store_pb2.Artifact.DELETED]
    needed = _needed(config, store, artifacts, keep_runs)
    going = [
        (found.uri, kinds[found.type_id], found.id)
        for found in artifacts
        if kinds[found.type_id] in LARGE and found.id not in needed and Path(found.uri).is_relative_to(root)
    ]
    known = {found.uri for found in artifacts}
    left = [str(folder) for folder in root.glob("*/*/*") if OUTPUT_FOLDER.fullmatch(str(folder.relative_to(root)))]
    orphans = [(path, "left by a killed step", None) for path in left if path not in known]
    return [*going, *orphans]


def delete(config: PipelineConfig, unneeded: Iterable[Unneeded]) -> None:
    """Deletes the folders; TFX no longer takes these artifacts from its cache.

    Raises:
      OSError: if one cannot be deleted.
    """
    store: mlmd.MetadataStore | None = None
    for entry in unneeded:
        # Noted first, because TFX must not use a half-deleted folder.
        if entry.artifact is not None:
            store = store or open_store(config.metadata_path)
            (artifact,) = store.get_artifacts_by_id([entry.artifact])
            artifact.state = metadata_store_pb2.Artifact.DELETED
            store.put_artifacts([artifact])
        files.delete(entry.path)
        contents.forget(entry.path)


def _needed(
    config: PipelineConfig, store: mlmd.MetadataStore, artifacts: list[metadata_store_pb2.Artifact], keep_runs: int
) -> frozenset[int]:
    newest = run_contexts(store)[-keep_runs:]
    executions = {found.id for run in newest for found in store.get_executions_by_context(run.id)}
    events = store.get_events_by_execution_ids(list(executions)) if executions else []
    needed = {event.artifact_id for event in events}
    models = pushed_models(config.push_path)
    if damaged := [f"version {model.version}: {model.problem}" for model in models if model.record_is_lost]:
        raise PushError(
            f"nothing is deleted, because the records of models in {config.push_path} are damaged "
            f"({'; '.join(damaged)}); restore these versions from a backup, or delete them"
        )
    pushed = {model.record.model_uri for model in models}
    return frozenset(needed | _behind(store, {found.id for found in artifacts if found.uri in pushed}))


def _behind(store: mlmd.MetadataStore, artifact_ids: set[int]) -> set[int]:
    """The artifacts and everything that they were made from."""
    seen, todo = set(artifact_ids), list(artifact_ids)
    outputs, inputs = metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INPUT
    while todo:
        makers = {event.execution_id for event in store.get_events_by_artifact_ids(todo) if event.type == outputs}
        events = store.get_events_by_execution_ids(list(makers)) if makers else []
        todo = [event.artifact_id for event in events if event.type == inputs and event.artifact_id not in seen]
        seen.update(todo)
    return seen


def _bytes_freed(folders: Iterable[str]) -> dict[str, int]:
    """Bytes by folder; a file with another hard link outside the folders, such as a served model's, frees none."""
    names: dict[tuple[int, int], list[tuple[str, os.stat_result]]] = {}
    for folder in folders:
        for path in Path(folder).rglob("*"):
            if path.is_file():
                status = path.stat()
                names.setdefault((status.st_dev, status.st_ino), []).append((folder, status))
    sizes = dict.fromkeys(folders, 0)
    for found in names.values():
        folder, status = found[0]
        if len(found) == status.st_nlink:
            sizes[folder] += status.st_size
    return sizes
