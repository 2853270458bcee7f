"""`effnet scale`: what networks cost, and which way of scaling suits the images. Imports what it needs when it runs."""

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli_options import ConfigOption, DebugOption, JsonOption, SetOption
from pipeline.config import DEFAULT_PATH, load_config
from trainer.cost import BYTES_PER_ACTIVATION, Cost, network_cost
from trainer.scaling import VARIANTS, Variant

app = typer.Typer(no_args_is_help=True, help="Compound scaling on your own images: cost, search, study, comparison.")


@app.command()
def cost(
    config: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    classes: Annotated[int, typer.Option(help="Width of the classifier.", min=1)] = 1000,
    by: Annotated[Literal["network", "block", "layer"], typer.Option(help="How finely.")] = "network",
    latency: Annotated[bool, typer.Option("--latency", help="Build the chosen network and time it, here.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Parameters, multiply-adds and activation memory of the network that `model` chooses, beside B0 to B7.

    Try --set model.phi=-1. Nothing is built, unless the latency is asked for.
    """
    model = load_config(config, overrides or ()).model
    chosen = model.chosen_variant
    measured = _latency(chosen, classes) if latency else None
    if by == "network":
        rows = [(chosen, measured), *((variant, None) for variant in VARIANTS.values())]
        _print_networks([(variant, network_cost(variant, classes), ms) for variant, ms in rows], as_json)
        return
    whole = network_cost(chosen, classes)
    parts = whole.stages() if by == "block" else list(whole.layers)
    if as_json:
        print(json.dumps([asdict(part) for part in parts], indent=2))
        return
    table = Table(by, "parameters", "M MACs", "activations KB", title=_title(chosen, measured))
    for part in parts:
        kilobytes = part.activations * BYTES_PER_ACTIVATION / 1e3
        table.add_row(part.name, f"{part.parameters:,}", f"{part.macs / 1e6:,.2f}", f"{kilobytes:,.1f}")
    Console().print(table)


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
        print(json.dumps(entries, indent=2))
        return
    table = Table("network", "side", "width", "depth", "M params", "G MACs", "activations MB", "ms")
    for number, ((variant, cost, milliseconds), entry) in enumerate(zip(networks, entries, strict=True)):
        table.add_row(
            f"[bold]{variant.name}[/]" if number == 0 else variant.name,
            *(f"{entry[name]:.4g}" for name in ("resolution", "width_coefficient", "depth_coefficient")),
            f"{cost.parameters / 1e6:.2f}",
            f"{cost.macs / 1e9:.4f}",
            f"{cost.activation_bytes / 1e6:.1f}",
            "" if milliseconds is None else f"{milliseconds:.1f}",
            end_section=number == 0,
        )
    Console().print(table)


def _latency(variant: Variant, classes: int) -> float:
    from trainer.efficientnet import build_efficientnet
    from trainer.latency import measure_latency

    return measure_latency(build_efficientnet(variant, classes, seed=0))
