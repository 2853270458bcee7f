"""The Tuner as a TFX component."""

from collections.abc import Mapping

from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.tuner.executor import Executor


class TunerSpec(TypedSpec):
    """TFX's own, with the ingest's report and the features of the images."""

    PARAMETERS: Mapping[str, ExecutionParameter] = standard_component_specs.TunerSpec.PARAMETERS
    INPUTS: Mapping[str, ChannelParameter] = {
        **standard_component_specs.TunerSpec.INPUTS,
        "report": ChannelParameter(type=artifacts.IngestReport),
        "features": ChannelParameter(type=artifacts.BackboneFeatures, optional=True),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = standard_component_specs.TunerSpec.OUTPUTS


class Tuner(BaseComponent):
    """TFX's Tuner for a `tuner_fn` whose tuner reports, and is told how far the images have drifted.

    Outputs:
        best_hyperparameters: `HyperParameters`; the custom properties `searched_by` and `searched_at` name the search.
        tuner_results: `TunerResults` with all that the tuner's `report` writes.
    """

    SPEC_CLASS = TunerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        tuner_fn: str,
        examples: BaseChannel[standard_artifacts.Examples],
        transform_graph: BaseChannel[standard_artifacts.TransformGraph],
        schema: BaseChannel[standard_artifacts.Schema],
        report: BaseChannel[artifacts.IngestReport],
        train_args: tfx.proto.TrainArgs,
        eval_args: tfx.proto.EvalArgs,
        custom_config: Mapping[str, object],
        features: BaseChannel[artifacts.BackboneFeatures] | None = None,
    ):
        """Describes a search.

        Args:
            tuner_fn: dotted name of the function that makes the tuner.
            examples: transformed images.
            transform_graph: of these.
            schema: of the images.
            report: ImageExampleGen's `report`.
            train_args: the splits to train on.
            eval_args: the splits that the training watches.
            custom_config: what `tuner_fn` is given; `checkpoint_root` is the folder with the history of searches.
            features: of the images, from BackboneFeatures: the search is then on these.
        """
        spec = TunerSpec(
            tuner_fn=tuner_fn,
            examples=examples,
            transform_graph=transform_graph,
            schema=schema,
            report=report,
            features=features,
            train_args=train_args,
            eval_args=eval_args,
            custom_config=json_utils.dumps(custom_config),
            best_hyperparameters=Channel(type=standard_artifacts.HyperParameters),
            tuner_results=Channel(type=standard_artifacts.TunerResults),
        )
        super().__init__(spec=spec)
