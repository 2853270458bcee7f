"""`effnet scale study` and `compare`: networks side by side under one recipe, as one HTML page, CSV and figures."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipeline.config import ConfigError, PipelineConfig
from pipeline.scale_page import Page, write_page
from pipeline.scale_results import Row, csv_table, rows_of, total_seconds
from pipeline.scale_run import Effort, NothingTrained, ScaleRun, announce, read_plan, write_plan
from trainer.cost import network_cost
from trainer.forecast import clock, training_seconds
from trainer.scaling import BASE_RESOLUTION, VARIANTS
from trainer.scaling_ways import BASE, ScaledNetwork, scaled_networks
from trainer.settings import ModelSettings

if TYPE_CHECKING:
    from trainer.contenders import Contender

TABLE_FILE = "results.csv"


@dataclass(frozen=True)
class Question:
    """What is asked: the words for page and folder, and the networks."""

    command: str
    title: str
    intro: str
    contenders: "Sequence[Contender]"
    base: str | None = None  # the name of the network from which every line begins


def study(
    config: PipelineConfig, effort: Effort, levels: Sequence[float], console: Console, forecast_only: bool
) -> Path | None:
    """Trains the base and what each way of scaling makes of it at each level; returns the page.

    Raises:
      ConfigError: a level cannot be reached.
    """
    _refuse_head_phase(config)
    run = ScaleRun(config, effort, console)
    model = config.model
    classes = run.class_count(model.image_size or BASE_RESOLUTION)
    try:
        networks = scaled_networks(model, levels, classes)
    except ValueError as error:
        raise ConfigError(f"--level: {error}") from error
    run.make_images([network.model.chosen_variant.resolution for network in networks])
    base_macs = networks[0].macs
    contenders = [_scaled(run, network, base_macs) for network in networks]
    question = Question(
        "study",
        "Ways of scaling, at matched FLOPs",
        f"Each network is the same base, made larger in one way to have {_listed(levels)} times its multiply-adds: "
        "deeper, wider, on larger images, or all three by the compound coefficient phi "
        f"(alpha {model.alpha:g}, beta {model.beta:g}, gamma {model.gamma:g}).",
        contenders,
        base=BASE,
    )
    return _answer(run, question, forecast_only)


def compare(
    config: PipelineConfig,
    effort: Effort,
    variants: Sequence[str],
    backbones: Sequence[str],
    console: Console,
    forecast_only: bool,
) -> Path | None:
    """Trains our variants and keras.applications' networks under one recipe; returns the page.

    Raises:
      ConfigError: a network is not known.
    """
    from trainer.backbones import BACKBONES

    for option, names, valid in (("variant", variants, VARIANTS), ("backbone", backbones, BACKBONES)):
        if unknown := [name for name in names if name not in valid]:
            raise ConfigError(f"--{option} {unknown[0]}: expected one of {', '.join(valid)}")
    if config.model.weights not in ("none", "imagenet"):
        raise ConfigError("a comparison starts from model.weights none or imagenet, which all networks have")
    if config.model.weights == "none":
        _refuse_head_phase(config)
    run = ScaleRun(config, effort, console)
    side, weights = config.model.image_size, config.model.weights
    common = {"image_size": side, "weights": weights}
    ours = [ModelSettings.model_validate({"variant": variant, **common}) for variant in variants]
    if config.model.phi is not None:
        ours.append(config.model)
    others = ModelSettings(image_size=side or BASE_RESOLUTION, weights=weights)
    run.make_images([model.chosen_variant.resolution for model in [*ours, *([others] if backbones else [])]])
    contenders = []
    for model in ours:
        variant = model.chosen_variant
        macs = network_cost(variant, run.class_count(variant.resolution)).macs
        details = {"side": variant.resolution}
        contenders.append(run.contender(variant.name, "EfficientNet", model, macs, details))
    for name in backbones:
        resolution = others.chosen_variant.resolution
        macs = round(BACKBONES[name].gmacs * 1e9 * (resolution / BASE_RESOLUTION) ** 2)
        family = name.rstrip("0123456789").removesuffix("Small").removesuffix("Large").removesuffix("V")
        contenders.append(run.contender(name, family, others, macs, {"side": resolution}, backbone=name))
    question = Question(
        "compare",
        "EfficientNet beside other networks",
        "Our variants and networks of keras.applications, all trained by the same recipe on the same images"
        + (", from their ImageNet weights." if weights == "imagenet" else ", from scratch."),
        contenders,
    )
    return _answer(run, question, forecast_only)


def _refuse_head_phase(config: PipelineConfig) -> None:
    if config.train.chosen_recipe.head_share:
        raise ConfigError(
            "these networks are trained from scratch, without a phase for the head; use --set train.recipe=quick"
        )


def _scaled(run: ScaleRun, network: ScaledNetwork, base_macs: int) -> "Contender":
    variant = network.model.chosen_variant
    name = BASE if network.way == BASE else f"{network.way} x{network.level:g}"
    details = {
        "level": network.level,
        "true_level": round(network.macs / base_macs, 3),
        "depth": round(variant.depth_coefficient, 3),
        "width": round(variant.width_coefficient, 3),
        "side": variant.resolution,
    }
    return run.contender(name, network.way, network.model, network.macs, details)


def _answer(run: ScaleRun, question: Question, forecast_only: bool) -> Path | None:
    """Forecast, trainings, results."""
    effort, console, contenders = run.effort, run.console, question.contenders
    keys = [contender.job.key() for contender in contenders]
    folder = run.folder(question.command, hashlib.sha256(json.dumps([keys, effort.seeds]).encode()).hexdigest())
    plan = read_plan(folder)
    timings = run.timings(plan, contenders)
    each = [training_seconds(timings, contender.macs, effort.epochs) for contender in contenders]
    what = f"{len(contenders)} networks, {effort.seeds} seed(s), {effort.epochs} epochs"
    announce(console, what, effort.seeds * sum(each), effort.minutes)
    if forecast_only:
        return None

    from trainer.scaling_study import study_networks

    write_plan(folder, {**plan, "timings": [asdict(timing) for timing in timings]})
    run.train(folder, study_networks, contenders, run.seeds, timings, str(run.trainings), effort.deadline)
    rows = rows_of(contenders, run.seeds, effort.epochs, run.trainings)
    if not rows:
        raise NothingTrained("no training ended well in time; allow more --minutes, or lower --set train.learning_rate")
    _print(console, rows)
    (folder / TABLE_FILE).write_text(csv_table(rows), encoding="utf-8")
    done = f"{sum(len(row.outcomes) for row in rows)} of {len(contenders) * effort.seeds}"
    done += f", {clock(total_seconds(rows))} in all"
    facts = {
        "recipe": f"{run.config.train.recipe}, {effort.epochs} epochs, batches of {run.config.train.batch_size}",
        "trainings": done,
        "images": f"{run.config.data.path}: {rows[0].outcomes[0].images} to train on, "
        f"{rows[0].outcomes[0].val_images} to judge on",
    }
    page = write_page(folder, Page(question.title, question.intro, facts, rows, question.base))
    console.print(f"[bold]trainings[/]     {done}", highlight=False)
    console.print(f"[bold]page[/]          {page}", highlight=False, soft_wrap=True)
    return page


def _print(console: Console, rows: Sequence[Row]) -> None:
    table = Table("network", "side", "M MACs", "M params", "ms", "accuracy", "+-", "loss", "seeds")
    for row in rows:
        first = row.outcomes[0]
        table.add_row(
            row.contender.name,
            f"{row.contender.details['side']:g}",
            f"{first.macs / 1e6:.1f}",
            f"{first.parameters / 1e6:.2f}",
            f"{row.latency_ms:.1f}",
            f"{row.accuracy:.4f}",
            f"{row.accuracy_spread:.4f}",
            f"{row.loss:.4f}",
            str(len(row.outcomes)),
        )
    console.print(table)


def _listed(levels: Sequence[float]) -> str:
    *before, last = (f"{level:g}" for level in sorted(levels))
    return f"{', '.join(before)} and {last}" if before else last
