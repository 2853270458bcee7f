"""Shared by most commands: their options, printing JSON, and showing that they are working."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from components.common.json_types import Parsed
from components.common.printable import printable_json
from pipeline.config.load import ConfigSource
from pipeline.terminal import make_console

# The options of every command that reads a pipeline.yaml, by the name of the parameter that `configured` adds.
CONFIG_OPTIONS: dict[str, tuple[object, object]] = {
    "config": (
        Annotated[
            Path | None,
            typer.Option(
                "--config",
                "-c",
                envvar="EFFNET_CONFIG",
                help="The pipeline.yaml to use; by default the one in this folder.",
                show_default=False,
            ),
        ],
        None,
    ),
    "overrides": (
        Annotated[
            list[str] | None,
            typer.Option("--set", "-s", metavar="SECTION.KEY=VALUE", help="Override one value; may be repeated."),
        ],
        None,
    ),
    "quick_start": (
        Annotated[bool, typer.Option("--quick-start", help="Use the shipped settings, on handwritten digits.")],
        False,
    ),
}
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
DEBUG: tuple[object, object] = (DebugOption, False)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options --config, --set, --quick-start and --debug.

    The command gets the result as its parameter `settings`, a PipelineConfig, or `source`, a ConfigSource that is not
    read yet. It gets --debug only if it has that parameter; `cli.main` handles it otherwise.
    """
    own = inspect.signature(command).parameters
    added = {**CONFIG_OPTIONS, "debug": DEBUG}

    @functools.wraps(command)
    def run(**given: Parsed) -> None:
        debug = given.pop("debug")
        config, overrides, quick_start = (given.pop(name) for name in CONFIG_OPTIONS)
        source = ConfigSource(config, tuple(overrides or ()), quick_start)
        if "debug" in own:
            given["debug"] = debug
        if "source" in own:
            command(source=source, **given)
        else:
            command(settings=source.load(), **given)

    keep = [
        one.replace(kind=one.KEYWORD_ONLY) for name, one in own.items() if name not in (*added, "settings", "source")
    ]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in added.items()
    ]
    parameters = [*keep, *options]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def print_json(value: object) -> None:
    """Prints JSON for `--json`; dataclasses become objects."""
    print(printable_json(value, default=asdict, indent=2))


def at_work(doing: str) -> AbstractContextManager[object]:
    """Shows on a terminal what takes time."""
    return make_console(stderr=True).status(doing)
