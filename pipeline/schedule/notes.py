"""The note of an attempt, the settings of its run, and its line on the screen."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from components.common.human_format import in_zone
from components.served_model.versions import pushed_versions
from pipeline.config.model import PipelineConfig
from pipeline.schedule.attempts import Attempt, AttemptVerdict, Kind
from pipeline.schedule.new_images import NewImages


def note_of(
    config: PipelineConfig,
    now: datetime,
    slot: datetime,
    kind: Kind,
    verdict: AttemptVerdict,
    why: str,
    look: NewImages | None = None,
    span: str = "",
) -> Attempt:
    """A settled note without a run; the arguments are `Attempt`'s, `look` is the images found."""
    version = served(config)
    there = look if look and not look.missing else None
    return Attempt(
        slot=slot.astimezone(UTC),
        kind=kind,
        attempt=0,
        verdict=verdict,
        why=why,
        settled=True,
        started=now,
        ended=now,
        spans=there.spans if there else (),
        span=look.span if look else span,
        images=there.images if there else None,
        new_images=there.new_images if there else None,
        served_before=version,
        served_after=version,
    )


def overrides_of(config: PipelineConfig, look: NewImages, weights: str) -> Iterator[str]:
    """The settings of a scheduled run beyond pipeline.yaml, as for `--set`."""
    schedule = config.schedule
    if look.span:
        yield f"data.span.last={json.dumps(look.span)}"
    if schedule.window:
        yield f"data.span.window={schedule.window}"
    if schedule.tune_when is not None:
        yield f"tune.when={json.dumps(schedule.model_dump(mode='json')['tune_when'])}"
    if weights:
        yield f"model.weights={json.dumps(weights)}"


def served(config: PipelineConfig) -> str:
    """The served version; "" for none."""
    return next(iter(pushed_versions(config.push_path)), "")


def local(config: PipelineConfig, moment: datetime | None) -> str:
    """A moment in the schedule's time zone, such as 2024-05-31 02:30 CEST."""
    return in_zone(moment, config.schedule.zone) if moment else "none"


def heading(config: PipelineConfig, now: datetime, attempt: Attempt) -> str:
    """The beginning of a line about an attempt: the time, and the slot if that is another one."""
    said, slot = local(config, now), local(config, attempt.slot)
    if attempt.kind is Kind.BACKFILL:
        return f"{said}, backfill of {attempt.span or slot}"
    return said if attempt.kind is Kind.TRIGGERED or said == slot else f"{said}, due {slot}"


def day_start(config: PipelineConfig, day: date) -> datetime:
    """The first moment of a day in the schedule's time zone."""
    return datetime.combine(day, time(), config.schedule.zone)
