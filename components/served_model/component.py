"""ServedModel as a TFX component."""

from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common.component_spec import TypedSpec
from components.served_model.driver import Driver
from components.served_model.executor import Executor


class ServedModelSpec(TypedSpec):
    """What goes in and out of ServedModel."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "push_path": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {"candidate": ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS: Mapping[str, ChannelParameter] = {"model": ChannelParameter(type=standard_artifacts.Model)}


class ServedModel(BaseComponent):
    """The newest pushed model that is not the candidate itself.

    It stands in for TFX's Resolver, which Kubeflow Pipelines cannot run, and which finds the model blessed last rather
    than the one that serves after a rollback.

    Outputs:
        model: `Model`; without a SavedModel and with the custom property `served_version` "" if nothing is served.
    """

    SPEC_CLASS = ServedModelSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, push_path: str, candidate: BaseChannel[standard_artifacts.Model]):
        """Describes where to look.

        Args:
            push_path: folder that Pusher writes versions to; it need not exist yet.
            candidate: Trainer's `model`.
        """
        spec = ServedModelSpec(
            push_path=push_path,
            candidate=candidate,
            model=Channel(type=standard_artifacts.Model),
        )
        super().__init__(spec=spec)
