"""`effnet scale`: the cost of networks, and the way of scaling that suits the images. Imports when it runs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.config.load import ConfigSource, load_config
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.execution.supervisor import supervised
from pipeline.shared_options import JsonOption, configured, print_json
from pipeline.terminal import compact_table, print_line, print_table, styled
from trainer.cost import BYTES_PER_ACTIVATION, Cost, network_cost
from trainer.scaling import VARIANTS, Variant

if TYPE_CHECKING:
    from pipeline.scale.experiment import Effort, Experiment

EpochsOption = Annotated[int | None, typer.Option(help="Epochs of each training; train.epochs by default.", min=1)]
SeedsOption = Annotated[int, typer.Option(help="Number of trainings of each network.", min=1)]
DataOption = Annotated[float, typer.Option(help="Share of the training images to use.", min=0.01, max=1)]
MinutesOption = Annotated[
    float | None, typer.Option(help="Time limit: no training starts that would end later.", min=0.1)
]
ForecastOption = Annotated[bool, typer.Option("--forecast", help="Only estimate how long it takes.")]
EngineOption = Annotated[
    Literal["local", "kubeflow"] | None,
    typer.Option("--engine", help="Run as a TFX pipeline: here, or on Kubeflow, where trainings run in parallel."),
]
CompileOption = Annotated[
    Path | None, typer.Option("--compile", help="Only write the pipeline: .yaml for Kubeflow, .json for Vertex AI.")
]

app = typer.Typer(no_args_is_help=True, help="Compound scaling on your own images: cost, search, study, comparison.")


@app.command()
@configured
def cost(
    source: ConfigSource,
    classes: Annotated[
        int, typer.Option(help="Number of classes of the classifier; your images are not read.", min=1)
    ] = 1000,
    by: Annotated[Literal["network", "block", "layer"], typer.Option(help="Level of detail.")] = "network",
    latency: Annotated[
        bool, typer.Option("--latency", help="Build the chosen network and measure its latency on this machine.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show parameters, multiply-adds and activation memory of the network that `model` chooses, next to its family.

    Try --set model.phi=-1. Nothing is built without --latency.
    """
    model = source.load_or_shipped().model
    chosen = model.chosen_variant
    measured = _latency(chosen, classes) if latency else None
    if by == "network":
        family = [variant for variant in VARIANTS.values() if variant.lite == chosen.lite]
        rows = [(chosen, measured), *((variant, None) for variant in family)]
        _print_networks([(variant, network_cost(variant, classes), ms) for variant, ms in rows], as_json)
        if not as_json:
            print(
                f"with a classifier for {classes} classes (--classes); multiply-adds and activations are for one image"
            )
        return
    whole = network_cost(chosen, classes)
    parts = whole.stages() if by == "block" else list(whole.layers)
    if as_json:
        print_json(parts)
        return
    table = compact_table(by, "parameters", "M MACs", "activations KB")
    for part in parts:
        kilobytes = part.activations * BYTES_PER_ACTIVATION / 1e3
        table.add_row(part.name, f"{part.parameters:,}", f"{part.macs / 1e6:,.2f}", f"{kilobytes:,.1f}")
    print(f"{_title(chosen, measured)}, {classes} classes (--classes)")
    print_table(table)


@app.command()
@configured
@supervised
def search(
    source: ConfigSource,
    step: Annotated[float, typer.Option(help="Distance between two points of the grid.", min=0.01, max=0.5)] = 0.1,
    tolerance: Annotated[
        float, typer.Option(help="How far alpha * beta^2 * gamma^2 may be from 2.", min=0, max=0.5)
    ] = 0.1,
    rungs: Annotated[
        int, typer.Option(help="Rounds; each halves the networks and doubles the epochs.", min=1, max=6)
    ] = 3,
    epochs: Annotated[int | None, typer.Option(help="Epochs of the last rung; train.epochs by default.", min=1)] = None,
    seeds: SeedsOption = 1,
    data_fraction: DataOption = 1.0,
    minutes: MinutesOption = 60.0,
    write: Annotated[bool, typer.Option("--write", help="Write the result into the pipeline.yaml in use.")] = False,
    forecast: ForecastOption = False,
) -> None:
    """Find alpha, beta and gamma for your images: step 1 of compound scaling, by successive halving.

    The base network, at phi 0, is a proxy: --set model.base_width=0.5 --set model.image_size=64 make it cheap. It tries
    as many networks of the grid as the minutes allow. Run the same command again to resume a search that was killed.
    """
    settings, own = source.load(), source.path
    if write and source.quick_start:
        raise ConfigError("--write does not change the shipped settings; drop --write or --quick-start")
    from pipeline.config.edit import check_can_set, set_values
    from pipeline.execution.progress import quiet_output
    from pipeline.execution.signals import stoppable
    from pipeline.scale.experiment import Effort
    from pipeline.scale.search import Grid, check_learned, point_of
    from pipeline.scale.search import search as run_search
    from trainer.compound.grid import PAPER

    if write:
        check_can_set(own, {f"model.{name}": value for name, value in asdict(PAPER).items()})
    effort = Effort(epochs or settings.train.epochs, seeds, data_fraction, minutes)
    with quiet_output(settings.run_root / "scale" / "scale.log") as console:
        with stoppable(console):
            winner = run_search(settings, effort, Grid(step, tolerance, rungs), console, forecast)
        if winner is None:
            return
        best = point_of(winner)
        if write:
            check_learned(winner)
            set_values(own, {f"model.{name}": value for name, value in asdict(best).items()})
            console.print(f"wrote model.alpha, beta and gamma to {own}", soft_wrap=True)
            written = load_config(own).model
            if written.phi is None:
                console.print(
                    f"model.phi is null there, so a run still trains {written.variant} and ignores them; for the "
                    "scaled network: effnet run --set model.phi=1, or phi: 1 in the file",
                    soft_wrap=True,
                )
        else:
            chosen = " ".join(f"--set model.{name}={value:g}" for name, value in asdict(best).items())
            console.print(f"to use it: effnet run --set model.phi=1 {chosen}", soft_wrap=True)


@app.command()
@configured
@supervised
def study(
    settings: PipelineConfig,
    levels: Annotated[
        list[float] | None,
        typer.Option("--level", help="Multiple of the base's FLOPs; may be repeated; default 2, 4 and 8."),
    ] = None,
    epochs: EpochsOption = None,
    seeds: SeedsOption = 2,
    data_fraction: DataOption = 1.0,
    minutes: MinutesOption = None,
    forecast: ForecastOption = False,
    engine: EngineOption = None,
    package: CompileOption = None,
) -> None:
    """Compare deeper, wider, higher-resolution and compound scaling at the same FLOPs, on your images.

    Writes an HTML page, CSV and figures. Run the same command again to resume a study that was killed.
    """
    from pipeline.execution.progress import quiet_output
    from pipeline.execution.signals import stoppable
    from pipeline.scale.design import study_experiment
    from pipeline.scale.experiment import Effort
    from pipeline.scale.study import study as run_study

    effort, levels = Effort(epochs or settings.train.epochs, seeds, data_fraction, minutes), levels or [2.0, 4.0, 8.0]
    if engine or package:
        experiment = study_experiment(settings, effort, levels, len(settings.data.classes) or None)
        _as_pipeline(settings, effort, experiment, engine, package, forecast)
        return
    with quiet_output(settings.run_root / "scale" / "scale.log") as console, stoppable(console):
        run_study(settings, effort, levels, console, forecast)


@app.command()
@configured
@supervised
def compare(
    settings: PipelineConfig,
    variants: Annotated[list[str] | None, typer.Option("--variant", help="Ours; may be repeated: b0, b1, b2.")] = None,
    backbones: Annotated[
        list[str] | None,
        typer.Option(
            "--backbone",
            help="Of keras.applications; may be repeated. ResNet50, ResNet101, ResNet152, MobileNetV2, "
            "MobileNetV3Small, MobileNetV3Large; by default ResNet50, MobileNetV2 and MobileNetV3Large.",
        ),
    ] = None,
    epochs: EpochsOption = None,
    seeds: SeedsOption = 1,
    data_fraction: DataOption = 1.0,
    minutes: MinutesOption = None,
    forecast: ForecastOption = False,
    engine: EngineOption = None,
    package: CompileOption = None,
) -> None:
    """Compare our variants with ResNets and MobileNets, by the same recipe, on your images.

    With --set model.phi=... that network takes part too. Writes an HTML page, CSV and figures.
    """
    from pipeline.execution.progress import quiet_output
    from pipeline.execution.signals import stoppable
    from pipeline.scale.design import compare_experiment
    from pipeline.scale.experiment import Effort
    from pipeline.scale.study import compare as run_comparison

    effort = Effort(epochs or settings.train.epochs, seeds, data_fraction, minutes)
    ours, others = variants or ["b0", "b1", "b2"], backbones or ["ResNet50", "MobileNetV2", "MobileNetV3Large"]
    if engine or package:
        experiment = compare_experiment(settings, effort, ours, others)
        _as_pipeline(settings, effort, experiment, engine, package, forecast)
        return
    with quiet_output(settings.run_root / "scale" / "scale.log") as console, stoppable(console):
        run_comparison(settings, effort, ours, others, console, forecast)


def _as_pipeline(
    settings: PipelineConfig,
    effort: "Effort",
    experiment: "Experiment",
    engine: str | None,
    package: Path | None,
    forecast: bool,
) -> None:
    if forecast or effort.minutes is not None:
        raise ConfigError(
            "--forecast and --minutes do not apply to a pipeline, which runs all its trainings; drop them"
        )
    if engine and package:
        raise ConfigError("--compile only writes the pipeline, --engine runs it; drop one of them")
    from pipeline.execution.progress import quiet_output
    from pipeline.execution.signals import stoppable
    from pipeline.scale.tfx_pipeline import compile_pipeline, run_here, run_on_kubeflow

    with quiet_output(settings.run_root / "scale" / "scale.log") as console:
        if package:
            name = compile_pipeline(settings, effort, experiment, package)
            print_line(console, "pipeline", f"{name}: {package}")
        else:
            with stoppable(console):
                (run_here if engine == "local" else run_on_kubeflow)(settings, effort, experiment, console)


def _title(variant: Variant, milliseconds: float | None) -> str:
    timed = "" if milliseconds is None else f", {milliseconds:.1f} ms for one image here"
    return f"{variant.name} at {variant.resolution} pixels{timed}"


def _print_networks(networks: list[tuple[Variant, Cost, float | None]], as_json: bool) -> None:
    entries = [
        {
            **asdict(variant),
            "parameters": cost.parameters,
            "macs": cost.macs,
            "activation_bytes": cost.activation_bytes,
            "latency_ms": milliseconds,
        }
        for variant, cost, milliseconds in networks
    ]
    if as_json:
        print_json(entries)
        return
    timed = any(milliseconds is not None for _, _, milliseconds in networks)
    headers = ("network", "side", "width", "depth", "M params", "G MACs", "activations MB")
    table = compact_table(*headers, *(["ms"] if timed else []))
    for number, ((variant, cost, milliseconds), entry) in enumerate(zip(networks, entries, strict=True)):
        table.add_row(
            styled((f"yours: {variant.name}", "bold")) if number == 0 else variant.name,
            *(f"{entry[name]:.4g}" for name in ("resolution", "width_coefficient", "depth_coefficient")),
            f"{cost.parameters / 1e6:.2f}",
            f"{cost.macs / 1e9:.4f}",
            f"{cost.activation_bytes / 1e6:.1f}",
            *(["" if milliseconds is None else f"{milliseconds:.1f}"] if timed else []),
            end_section=number == 0,
        )
    print_table(table)
    if timed:
        from trainer.compound.latency import HOW_MEASURED, device_name

        print(f"ms: {HOW_MEASURED}, on {device_name()}")


def _latency(variant: Variant, classes: int) -> float:
    from trainer.compound.latency import measure_latency
    from trainer.efficientnet import build_efficientnet

    return measure_latency(build_efficientnet(variant, classes, seed=0))
