"""A run's configuration, as its report shows it."""

from collections.abc import Mapping

import yaml

from components.common.files import sha256
from components.common.metrics import ACCURACY, METRICS
from components.run_report.sources import ReportSettings
from pipeline.config.load import DEFAULT_PATH
from pipeline.config.model import PipelineConfig
from pipeline.config.schedule import ATTEMPTS_FILE, FOLDER
from pipeline.config.secrets import without_secrets

PROJECT = DEFAULT_PATH.parent


def make_report_settings(config: PipelineConfig, code: Mapping[str, str]) -> ReportSettings:
    """The limits in words, the configuration without secrets, and hashes of the code.

    Args:
      config: of the pipeline.
      code: the key of each step's code, by the step's name.
    """
    lock = PROJECT / "requirements.lock"
    return ReportSettings(
        name=config.name,
        limits=_limits(config),
        drift=config.data.drift.model_dump() if config.data.drift else {},
        configuration=yaml.safe_dump(
            without_secrets(config.model_dump(mode="json")), sort_keys=False, allow_unicode=True
        ),
        schedule=str(config.run_root / FOLDER / ATTEMPTS_FILE) if config.schedule.cron else "",
        code={**code, **({"requirements.lock": sha256(str(lock))} if lock.is_file() else {})},
    )


def _limits(config: PipelineConfig) -> dict[str, str]:
    evaluate = config.evaluate
    drop = f"at most {evaluate.max_accuracy_drop:g}" if evaluate.max_accuracy_drop else "not"
    sure = " with 95 % confidence" if evaluate.compare == "confident" else ""
    limits = {}
    for metric in METRICS.values():
        bound = getattr(evaluate, metric.setting) if metric.setting else None
        if bound is not None:
            limits[metric.name] = f"at {'least' if metric.better == 'higher' else 'most'} {bound:g}"
    limits[ACCURACY] += f"; {drop} below the served model's{sure}"
    return limits
