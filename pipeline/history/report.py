"""The report of a run: where it lies, and how one is made of a run that did not come to it."""

from pathlib import Path

from components.run_report.sources import REPORT_FILE, Push, ReportSettings, Sources
from pipeline.config.model import PipelineConfig
from pipeline.history.metadata import RunRecord
from pipeline.schedule.database import AttemptDatabase

STOPPED_REPORTS = "reports"  # of the runs that did not come to their last step, by run id
# Which step's output is which of `Sources`.
OUTPUTS = {
    "ingest_report": ("ImageExampleGen", "report"),
    "examples": ("ImageExampleGen", "examples"),
    "statistics": ("StatisticsGen", "statistics"),
    "anomalies": ("ExampleValidator", "anomalies"),
    "tuner_results": ("Tuner", "tuner_results"),
    "model": ("Trainer", "model"),
    "model_run": ("Trainer", "model_run"),
    "served_model": ("ServedModel", "model"),
    "evaluation": ("GatedEvaluator", "evaluation"),
    "serving_check": ("ServingCheck", "blessing"),
    "pushed_model": ("Pusher", "pushed_model"),
}


def find_report(config: PipelineConfig, run: RunRecord) -> Path | None:
    """The report of a run, or None."""
    written = run.output("RunReport", "report")
    path = Path(written or config.run_root / STOPPED_REPORTS / run.run_id) / REPORT_FILE
    return path if path.is_file() else None


def sources_of(run: RunRecord, error: str = "") -> Sources:
    """Where the report's material of a run lies, as far as there is some."""
    return Sources(**{name: run.output(*output) for name, output in OUTPUTS.items()}, error=error)


def report_of_stopped_run(config: PipelineConfig, run: RunRecord, error: str = "") -> Path:
    """Writes the report of a run that stopped before its end, from what it left; takes seconds, for it loads TFX.

    Args:
      config: the run's own while it is known why it stopped; else only what says where things lie is taken from it.
      run: what it came to.
      error: why it stopped; "" if that is not known any more, but perhaps by the schedule that ended it.
    """
    from components.run_report.write import write_report
    from pipeline.steps.report_settings import make_report_settings

    code = {name: step.code for name, step in run.steps.items() if step.code}
    settings = make_report_settings(config, code) if error else ReportSettings(name=config.name)
    folder = config.run_root / STOPPED_REPORTS / run.run_id
    why = error or AttemptDatabase(config.run_root).why_stopped(run.number)
    write_report(str(folder), sources_of(run, why), Push(), settings, None)
    return folder / REPORT_FILE
