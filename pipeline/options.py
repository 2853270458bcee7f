"""What most commands share: their options, and how they print JSON, and that they are at work."""

import json
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="EFFNET_CONFIG",
        help="The pipeline.yaml to use; else the one in this folder, else the shipped one.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="SECTION.KEY=VALUE", help="Override one value; may be repeated."),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """Prints what `--json` promises; dataclasses become objects."""
    print(json.dumps(value, default=asdict, indent=2, ensure_ascii=False))


def at_work(doing: str) -> AbstractContextManager:
    """Says on a terminal what takes so long."""
    return Console(stderr=True).status(doing)
