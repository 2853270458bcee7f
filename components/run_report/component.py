"""RunReport as a TFX component."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Artifact, BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.run_report.executor import Executor
from components.run_report.sources import ReportSettings


class RunReportSpec(TypedSpec):
    """What goes in and out of RunReport."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "settings": ExecutionParameter(type=str),
        "explain_fn": ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "ingest_report": ChannelParameter(type=artifacts.IngestReport),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "tuner_results": ChannelParameter(type=standard_artifacts.TunerResults, optional=True),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "served_model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "serving_check": ChannelParameter(type=standard_artifacts.InfraBlessing),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {"report": ChannelParameter(type=artifacts.RunReport)}


class RunReport(BaseComponent):
    """Reports a run in one HTML file, whether or not its model was pushed.

    Outputs:
        report: `RunReport` with report.html, model_card.md and pipeline.yaml.
    """

    SPEC_CLASS = RunReportSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(self, settings: ReportSettings, explain_fn: str, **inputs: BaseChannel[Artifact] | None):
        """Describes a report.

        Args:
            settings: of the run.
            explain_fn: dotted name of a function as `gather.Explain`, which says where a model looked; "" for none.
            **inputs: the channels that `Sources` names; `tuner_results` may be None.
        """
        spec = RunReportSpec(
            settings=json.dumps(asdict(settings), sort_keys=True),
            explain_fn=explain_fn,
            report=Channel(type=artifacts.RunReport),
            **inputs,
        )
        super().__init__(spec=spec)
