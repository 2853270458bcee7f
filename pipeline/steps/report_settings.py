"""What the report is told of a run's configuration."""

import yaml

from components.common.source_hash import source_hash
from components.run_report.sources import ReportSettings
from pipeline.config.load import DEFAULT_PATH
from pipeline.config.model import PipelineConfig
from pipeline.config.schedule import ATTEMPTS_FILE, FOLDER
from pipeline.config.secrets import without_secrets

PROJECT = DEFAULT_PATH.parent


def make_report_settings(config: PipelineConfig) -> ReportSettings:
    """The limits in words, the configuration without secrets, and hashes of the code."""
    code = {room: source_hash(PROJECT / room) for room in ("pipeline", "components", "trainer")}
    lock = PROJECT / "requirements.lock"
    return ReportSettings(
        name=config.name,
        limits=_limits(config),
        drift=config.data.drift.model_dump() if config.data.drift else {},
        configuration=yaml.safe_dump(
            without_secrets(config.model_dump(mode="json")), sort_keys=False, allow_unicode=True
        ),
        schedule=str(config.run_root / FOLDER / ATTEMPTS_FILE) if config.schedule.cron else "",
        code={**code, **({"requirements.lock": source_hash(lock)} if lock.is_file() else {})},
    )


def _limits(config: PipelineConfig) -> dict[str, str]:
    evaluate = config.evaluate
    drop = f"at most {evaluate.max_accuracy_drop:g}" if evaluate.max_accuracy_drop else "not"
    sure = " with 95 % confidence" if evaluate.compare == "confident" else ""
    limits = {
        "sparse_categorical_accuracy": f"at least {evaluate.min_accuracy:g}; {drop} below the served model's{sure}"
    }
    for name, bound, words in (
        ("top_k_accuracy", evaluate.min_top_k_accuracy, "at least"),
        ("sparse_categorical_crossentropy", evaluate.max_cross_entropy, "at most"),
        ("expected_calibration_error", evaluate.max_calibration_error, "at most"),
    ):
        if bound is not None:
            limits[name] = f"{words} {bound:g}"
    return limits
