"""The report of a run: where it lies, and how one is made of a run that did not come to it."""

from pathlib import Path

from components.run_report.sources import REPORT_FILE, Push, Sources
from pipeline.config import PipelineConfig
from pipeline.run_record import RunRecord

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


def report_path(run: RunRecord) -> Path | None:
    """The report that the run's last step wrote, or None."""
    step = run.steps.get("RunReport")
    return Path(step.outputs["report"].uri) / REPORT_FILE if step and step.done else None


def sources_of(run: RunRecord, error: str = "") -> Sources:
    """Where the report's material of a run lies, as far as there is some."""
    uris = {
        name: run.steps[step].outputs[output].uri
        for name, (step, output) in OUTPUTS.items()
        if step in run.steps and run.steps[step].done
    }
    return Sources(**uris, error=error)


def report_of_stopped_run(config: PipelineConfig, run: RunRecord, error: str) -> Path:
    """Writes the report of a run that stopped before its end, from what it left."""
    from components.run_report.write import write_report
    from pipeline.report_settings import make_report_settings

    folder = config.run_root / "reports" / str(run.number)
    write_report(str(folder), sources_of(run, error), Push(), make_report_settings(config), None)
    return folder / REPORT_FILE
