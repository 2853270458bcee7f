"""The smallest pipeline with an input: one step writes a schema, the next one copies it. Loads TFX."""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

SCHEMA = "schema.pbtxt"


@component
def Writer(schema: OutputArtifact[standard_artifacts.Schema]):
    Path(schema.uri, SCHEMA).write_text("feature { name: 'image' }")


@component
def Copier(schema: InputArtifact[standard_artifacts.Schema], copy: OutputArtifact[standard_artifacts.Schema]):
    Path(copy.uri, SCHEMA).write_bytes(Path(schema.uri, SCHEMA).read_bytes())


def make_pipeline(root: Path) -> Pipeline:
    writer = Writer()
    return Pipeline(
        pipeline_name="tiny",
        pipeline_root=str(root / "artifacts"),
        components=[writer, Copier(schema=writer.outputs["schema"])],
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(str(root / "metadata.sqlite")),
    )
