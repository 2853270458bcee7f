"""The `effnet` command. Each command imports what it needs when it runs, so that --help answers at once."""

import importlib.metadata
import logging
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from components.common.events import write_where_asked
from pipeline import config_command
from pipeline.config.model import PipelineConfig
from pipeline.doctor import command as doctor_command
from pipeline.execution.failures import report
from pipeline.execution.signals import exit_when_signalled
from pipeline.execution.supervisor import supervised
from pipeline.history import commands as history_commands
from pipeline.init import command as init_command
from pipeline.scale.commands import app as scale_app
from pipeline.schedule.commands import app as schedule_app
from pipeline.serving import predict_command, rollback_commands
from pipeline.serving.serve import app as serve_app
from pipeline.shared_options import JsonOption, configured
from pipeline.start import forget_warning_options

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="From a folder of labelled images to a validated, tuned, gated and served EfficientNet.",
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"effnet {importlib.metadata.version('tfx-efficientnet')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before a command."""


@app.command()
@configured
@supervised
def run(
    settings: PipelineConfig,
    debug: bool,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all that TFX and TensorFlow log.")] = False,
) -> None:
    """Run the whole pipeline in this process: ingest, validate, transform, tune, train, gate, push.

    Exit status: 0 pushed, 1 failed, 2 wrong usage, 3 refused by the gate, 4 refused for its data.
    """
    from pipeline.execution.command import run_with_progress

    raise typer.Exit(run_with_progress(settings, debug, verbose))


class Engine(StrEnum):
    """Where runs are looked for."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"


@app.command()
@configured
def runs(
    settings: PipelineConfig,
    as_json: JsonOption = False,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many, the newest ones.")] = 20,
    engine: Annotated[Engine, typer.Option(help="Here, or on Kubeflow Pipelines.")] = Engine.LOCAL,
) -> None:
    """List runs: when, and what came of each."""
    if engine is Engine.LOCAL:
        history_commands.print_runs(settings, as_json, last)
        return
    from pipeline.kubeflow.run_list import print_runs

    print_runs(settings, as_json, last)


for commands in (init_command, history_commands, predict_command, rollback_commands, doctor_command):
    app.add_typer(commands.app)
app.add_typer(config_command.app, name="config")
app.add_typer(scale_app, name="scale")
app.add_typer(schedule_app, name="schedule")
app.add_typer(serve_app, name="serve")


def main() -> None:
    """Entry point: runs the command; an error becomes one line, with its traceback if --debug is given."""
    # Before TensorFlow is imported, or its C++ part and Python's warnings still print.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    forget_warning_options()
    exit_when_signalled()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    write_where_asked()
    try:
        app()
    except Exception as error:  # the outermost frame
        sys.exit(report(error, "--debug" in sys.argv))


if __name__ == "__main__":
    main()
