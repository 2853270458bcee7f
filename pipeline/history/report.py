"""The report of a run: its path, and how one is made for a run that stopped before its last step."""

from pathlib import Path

from components.run_report.sources import REPORT_FILE, Push, ReportSettings, Sources
from pipeline.config.model import PipelineConfig
from pipeline.history.metadata import RunRecord
from pipeline.schedule.database import AttemptDatabase

STOPPED_REPORTS = "reports"  # of runs that stopped before their last step, by run id
# Field of `Sources` -> step and output.
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
    """The paths of the report's material, as far as the run has left it."""
    return Sources(**{name: run.output(*output) for name, output in OUTPUTS.items()}, error=error)


def report_of_stopped_run(config: PipelineConfig, run: RunRecord, error: str = "") -> Path:
    """Writes the report of a run that stopped before its end; takes seconds because it loads TFX.

    Args:
      config: the run's own if `error` is given; else only its name and paths are used.
      run: as far as it got.
      error: why it stopped; "": only the schedule may know.
    """
    from components.run_report.write import write_report
    from pipeline.steps.report_settings import make_report_settings

    code = {name: step.code for name, step in run.steps.items() if step.code}
    settings = make_report_settings(config, code) if error else ReportSettings(name=config.name)
    folder = config.run_root / STOPPED_REPORTS / run.run_id
    why = error or AttemptDatabase(config.run_root).why_stopped(run.number)
    write_report(str(folder), sources_of(run, why), Push(), settings, None)
    return folder / REPORT_FILE
