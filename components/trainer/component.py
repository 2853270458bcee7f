"""The Trainer as a TFX component."""

from collections.abc import Mapping

from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.trainer.executor import Executor


class TrainerSpec(TypedSpec):
    """TFX's own, with the features of the images."""

    PARAMETERS: Mapping[str, ExecutionParameter] = standard_component_specs.TrainerSpec.PARAMETERS
    INPUTS: Mapping[str, ChannelParameter] = {
        **standard_component_specs.TrainerSpec.INPUTS,
        "features": ChannelParameter(type=artifacts.BackboneFeatures, optional=True),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = standard_component_specs.TrainerSpec.OUTPUTS


class Trainer(BaseComponent):
    """TFX's Trainer, whose `run_fn` is also given the features of the images.

    Outputs:
        model: `Model`.
        model_run: `ModelRun`, the logs.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        run_fn: str,
        examples: BaseChannel[standard_artifacts.Examples],
        transform_graph: BaseChannel[standard_artifacts.TransformGraph],
        schema: BaseChannel[standard_artifacts.Schema],
        train_args: tfx.proto.TrainArgs,
        eval_args: tfx.proto.EvalArgs,
        custom_config: Mapping[str, object],
        features: BaseChannel[artifacts.BackboneFeatures] | None = None,
        hyperparameters: BaseChannel[standard_artifacts.HyperParameters] | None = None,
    ):
        """Describes a training.

        Args:
            run_fn: dotted name of the function that trains and exports.
            examples: transformed images.
            transform_graph: of these.
            schema: of the images.
            train_args: the splits to train on.
            eval_args: the splits that the training watches.
            custom_config: what `run_fn` is given, with the folder of the features as `features`.
            features: of the images, from BackboneFeatures.
            hyperparameters: the Tuner's.
        """
        spec = TrainerSpec(
            run_fn=run_fn,
            examples=examples,
            transform_graph=transform_graph,
            schema=schema,
            train_args=train_args,
            eval_args=eval_args,
            custom_config=json_utils.dumps(custom_config),
            features=features,
            hyperparameters=hyperparameters,
            model=Channel(type=standard_artifacts.Model),
            model_run=Channel(type=standard_artifacts.ModelRun),
        )
        super().__init__(spec=spec)
