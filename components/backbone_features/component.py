"""BackboneFeatures as a TFX component."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.backbone_features.executor import Executor
from components.common import artifacts
from components.common.component_spec import TypedSpec


class BackboneFeaturesSpec(TypedSpec):
    """TFX's description of parameters and channels."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "features_fn": ExecutionParameter(type=str),
        "custom_config": ExecutionParameter(type=str),
        "splits": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {"examples": ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS: Mapping[str, ChannelParameter] = {"features": ChannelParameter(type=artifacts.BackboneFeatures)}


class BackboneFeatures(BaseComponent):
    """Computes the features of all images.

    Its parameters are all that they depend on, so that TFX's cache gives them back however else a training changes.

    Outputs:
        features: `BackboneFeatures`, a folder for each split.
    """

    SPEC_CLASS = BackboneFeaturesSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        features_fn: str,
        examples: BaseChannel[standard_artifacts.Examples],
        splits: list[str],
        custom_config: Mapping[str, object],
    ):
        """Describes the step.

        Args:
            features_fn: dotted name of the function that computes and writes them.
            examples: the images.
            splits: of them.
            custom_config: what `features_fn` is given: the network, its weights, how images are stored.
        """
        spec = BackboneFeaturesSpec(
            features_fn=features_fn,
            examples=examples,
            splits=json_utils.dumps(splits),
            custom_config=json_utils.dumps(custom_config),
            features=Channel(type=artifacts.BackboneFeatures),
        )
        super().__init__(spec=spec)
