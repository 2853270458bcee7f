"""StudyReport as a TFX component."""

from collections.abc import Mapping, Sequence

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.study_report.executor import Executor


class StudyReportSpec(TypedSpec):
    """The parameters and outputs of StudyReport; it has as many inputs as there are trainings."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "experiment": ExecutionParameter(type=str),
        "write_fn": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {}
    OUTPUTS: Mapping[str, ChannelParameter] = {"report": ChannelParameter(type=artifacts.StudyReport)}


def spec_for(inputs: Sequence[str]) -> type[StudyReportSpec]:
    """A spec with these inputs: Kubeflow takes one step's output for an input, and not several steps' together."""

    class Spec(StudyReportSpec):
        INPUTS: Mapping[str, ChannelParameter] = {
            name: ChannelParameter(type=standard_artifacts.ModelRun) for name in inputs
        }

    return Spec


class StudyReport(BaseComponent):
    """Has what came of trainings written down together.

    Outputs:
        report: `StudyReport` with all that `write_fn` writes.
    """

    SPEC_CLASS = StudyReportSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        experiment: str,
        write_fn: str,
        model_runs: Sequence[BaseChannel[standard_artifacts.ModelRun]],
    ):
        """Describes the step.

        Args:
            experiment: what was asked, for `write_fn`.
            write_fn: dotted name of a function of a local folder to write to, the experiment, and the places of the
                `model_runs`, in their order.
            model_runs: each a Trainer's `model_run`.
        """
        # TFX hands inputs over by name; so many digits that their order is that of the names.
        inputs = {f"model_run_{number:04d}": channel for number, channel in enumerate(model_runs)}
        spec = spec_for(list(inputs))(
            experiment=experiment,
            write_fn=write_fn,
            report=Channel(type=artifacts.StudyReport),
            **inputs,
        )
        super().__init__(spec=spec)
