"""ServingCheck as a TFX component."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common.component_spec import TypedSpec
from components.serving_check.executor import Executor
from components.serving_check.verdict import Budgets


class ServingCheckSpec(TypedSpec):
    """What goes in and out of ServingCheck."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "budgets": ExecutionParameter(type=str),
        "requests": ExecutionParameter(type=int),
        "engine": ExecutionParameter(type=str),
        "split": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(BaseComponent):
    """Lets the exported model answer to image bytes in a process without this project.

    It stands in for InfraValidator, which needs Docker, and also sees whether the answers are the
    trainer's and what they cost. Where InfraValidator runs as well, the blessing is that of both.

    Outputs:
        blessing: `InfraBlessing` with serving_check.json, which `report.read_report` reads, and with the files that
            Pusher adds to the model.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel[standard_artifacts.Model],
        examples: BaseChannel[standard_artifacts.Examples],
        budgets: Budgets,
        requests: int,
        engine: str = "auto",
        split: str = "eval",
        infra_blessing: BaseChannel[standard_artifacts.InfraBlessing] | None = None,
    ):
        """Describes a check.

        Args:
            model: Trainer's `model`.
            examples: ImageExampleGen's `examples`.
            budgets: what serving may cost.
            requests: most for each batch size.
            engine: auto: ONNX Runtime where it answers alike; tensorflow: the SavedModel alone.
            split: whose images are sent.
            infra_blessing: InfraValidator's `blessing`, which is to be obeyed as well; None: there is none.
        """
        spec = ServingCheckSpec(
            model=model,
            examples=examples,
            infra_blessing=infra_blessing,
            budgets=json.dumps(asdict(budgets)),
            requests=requests,
            engine=engine,
            split=split,
            blessing=Channel(type=standard_artifacts.InfraBlessing),
        )
        super().__init__(spec=spec)
