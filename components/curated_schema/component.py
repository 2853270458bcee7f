"""CuratedSchema as a TFX component."""

from collections.abc import Mapping
from pathlib import Path

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.common.errors import DataError
from components.curated_schema.executor import Executor
from components.curated_schema.schema import parse_schema


class CuratedSchemaSpec(TypedSpec):
    """What goes in and out of CuratedSchema."""

    # The text and not its path: it is then in the cache key, and a container needs no copy of the file.
    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "schema_text": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {"report": ChannelParameter(type=artifacts.IngestReport)}
    OUTPUTS: Mapping[str, ChannelParameter] = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class CuratedSchema(BaseComponent):
    """Gives the curated schema with the class list of the ingest.

    Outputs:
        schema: `Schema`, for ExampleValidator and Transform.
    """

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(self, schema_path: str, report: BaseChannel[artifacts.IngestReport]):
        """Reads the curated schema, so that a mistake in it shows before a run.

        Args:
            schema_path: the curated schema, a local text proto.
            report: ImageExampleGen's `report`.

        Raises:
            DataError: if the schema cannot be read.
        """
        try:
            schema_text = Path(schema_path).read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot read the schema {schema_path}: {error.strerror}; correct its path") from error
        parse_schema(schema_text)
        spec = CuratedSchemaSpec(
            schema_text=schema_text,
            report=report,
            schema=Channel(type=standard_artifacts.Schema),
        )
        super().__init__(spec=spec)
