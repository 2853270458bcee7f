"""AtomicPusher as a TFX component."""

from tfx.components import Pusher
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, standard_artifacts

from components.atomic_pusher.driver import Driver
from components.atomic_pusher.executor import Executor


class AtomicPusher(Pusher):
    """Pusher whose versions come whole or not at all, and of which only the newest are kept.

    Outputs:
        pushed_model: `PushedModel`; with the custom properties of Pusher's, and `refusal` if the model was withdrawn.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: BaseChannel[standard_artifacts.Model],
        model_blessing: BaseChannel[standard_artifacts.ModelBlessing],
        push_path: str,
        keep: int,
        infra_blessing: BaseChannel[standard_artifacts.InfraBlessing] | None = None,
    ):
        """Describes a push.

        Args:
            model: Trainer's `model`.
            model_blessing: GatedEvaluator's `blessing`.
            push_path: folder of the versions, local or on any storage that Beam knows; it need not exist.
            keep: versions that may stay, 1 or more.
            infra_blessing: ServingCheck's `blessing`.
        """
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_path)
            ),
            custom_config={"keep": keep},
        )
