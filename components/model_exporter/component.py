"""ModelExporter as a TFX component."""

import json
from collections.abc import Mapping, Sequence

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.model_exporter.executor import Executor


class ModelExporterSpec(TypedSpec):
    """What goes in and out of ModelExporter."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "formats": ExecutionParameter(type=str),
        "representative_images": ExecutionParameter(type=int),
        "max_accuracy_drop": ExecutionParameter(type=float),
        "split": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {"exports": ChannelParameter(type=artifacts.Exports)}


class ModelExporter(BaseComponent):
    """Converts the model that was pushed, if one was, and compares each conversion with it.

    Outputs:
        exports: `Exports`; the converted models and exports.json, which `report.read_report` reads.
    """

    SPEC_CLASS = ModelExporterSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        pushed_model: BaseChannel[standard_artifacts.PushedModel],
        examples: BaseChannel[standard_artifacts.Examples],
        formats: Sequence[str],
        representative_images: int,
        max_accuracy_drop: float,
        split: str = "eval",
    ):
        """Describes the step.

        Args:
            pushed_model: Pusher's `pushed_model`.
            examples: ImageExampleGen's `examples`.
            formats: of `formats.FILES`.
            representative_images: train images that choose int8's ranges, 1 or more.
            max_accuracy_drop: a conversion that loses more is not kept.
            split: whose images it is compared on.
        """
        spec = ModelExporterSpec(
            pushed_model=pushed_model,
            examples=examples,
            formats=json.dumps(list(formats)),
            representative_images=representative_images,
            max_accuracy_drop=max_accuracy_drop,
            split=split,
            exports=Channel(type=artifacts.Exports),
        )
        super().__init__(spec=spec)
