"""The `effnet` command. Each command imports what it needs when it runs, so that --help answers at once."""

import importlib.metadata
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components.errors import one_line
from pipeline import history_commands, init_command
from pipeline.cli_options import ConfigOption, DebugOption, JsonOption, SetOption, at_work, print_json
from pipeline.config import DEFAULT_PATH, ConfigError, PipelineConfig, find_config, load_config
from pipeline.scaling.commands import app as scale_app
from pipeline.schedule import app as schedule_app
from pipeline.tables import print_table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="From a folder of labelled images to a validated, tuned, gated and served EfficientNet.",
)
app.add_typer(init_command.app)
app.add_typer(history_commands.app)
app.add_typer(scale_app, name="scale")
app.add_typer(schedule_app, name="schedule")


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
    """Options that stand before a command."""


@app.command()
def run(
    config: ConfigOption = None,
    overrides: SetOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all that TFX and TensorFlow log.")] = False,
    debug: DebugOption = False,
) -> None:
    """Run the whole pipeline in this process: ingest, validate, transform, tune, train, gate, push.

    Exit status: 0 pushed, 1 failed, 2 wrong usage, 3 refused by the gate, 4 refused for its data.
    """
    settings = load_config(config, overrides or ())
    if find_config(config) == DEFAULT_PATH and Path.cwd() != DEFAULT_PATH.parent:
        print("no pipeline.yaml here: this is the quick start; `effnet init FOLDER` writes one for your images")
    from pipeline.run_local import run_with_progress

    raise typer.Exit(run_with_progress(settings, debug, verbose))


@app.command()
def predict(
    images: Annotated[list[str], typer.Argument(help="Image files, of any format that Pillow reads.")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Ask the pushed model what the images show."""
    settings = load_config(config, overrides or ())
    from pipeline import predict as prediction

    with at_work("asking the model"):
        answers = prediction.predict(settings, images)
    if as_json:
        print_json(answers)
    else:
        table = Table("image", "class", "probability")
        for answer in answers:
            name = answer.class_name or answer.error or ""
            table.add_row(
                escape(answer.path), escape(name), "" if answer.probability is None else f"{answer.probability:.1%}"
            )
        print_table(table)
    raise typer.Exit(1 if any(answer.error for answer in answers) else 0)


@app.command()
def models(
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the pushed versions, the served one first."""
    settings = load_config(config, overrides or ())
    from components.atomic_pusher.store import pushed_models

    pushed = pushed_models(settings.push_path)
    if as_json:
        print_json(pushed)
        return
    if not pushed:
        print(f"no model is served from {settings.push_path}; `effnet run` pushes one")
        return
    withdrawn = pushed[0].record.withdrawn
    table = Table("version", "accuracy", "pushed (UTC)", "")
    for position, model in enumerate(pushed):
        notes = ["[green]served[/]"] if position == 0 else []
        notes += [f"rollback to {model.record.rollback_of}"] if model.record.rollback_of else []
        notes += ["withdrawn"] if model.fingerprint in withdrawn else []
        accuracy = "-" if model.record.accuracy is None else f"{model.record.accuracy:.4f}"
        table.add_row(model.version, accuracy, (model.record.pushed_at or "-")[:16].replace("T", " "), ", ".join(notes))
    print_table(table)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(help="As `effnet models` lists it; else the one before.")] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Serve an older model again, as a new version; the next run is compared with it."""
    settings = load_config(config, overrides or ())
    from components.atomic_pusher import store

    back = store.rollback(settings.push_path, version, settings.push.keep)
    print(f"version {back.version} is served now: the model of version {back.record.rollback_of}")


@app.command()
def serve(
    config: ConfigOption = None,
    overrides: SetOption = None,
    port: Annotated[int, typer.Option(help="Of the REST interface.", min=1, max=65535)] = 8501,
    debug: DebugOption = False,
) -> None:
    """Serve the pushed model with TensorFlow Serving, or print the Docker command that does."""
    settings = load_config(config, overrides or ())
    from pipeline.serve import serve as start

    start(settings, port)


@app.command()
def doctor(
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check interpreter, C library, packages, GPU, disk and write access; exit 1 if anything is amiss."""
    from pipeline.doctor import examine

    table = Table("", "subject", "finding")
    marks = {True: "[green]ok[/]", False: "[red]no[/]", None: "-"}
    settings = load_config(config, overrides or ())
    with at_work("examining packages, TensorFlow, GPU and disk"):
        verdicts = list(examine(settings))
    for verdict in verdicts:
        table.add_row(marks[verdict.ok], verdict.subject, escape(verdict.finding))
    if as_json:
        print_json(verdicts)
    else:
        print_table(table)
    raise typer.Exit(1 if any(verdict.ok is False for verdict in verdicts) else 0)


@app.command(name="config")
def show_config(
    config: ConfigOption = None,
    overrides: SetOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of pipeline.yaml.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
    debug: DebugOption = False,
) -> None:
    """Print the resolved configuration, or its JSON schema for editors."""
    import yaml

    if schema:
        print_json(PipelineConfig.model_json_schema())
        return
    values = load_config(config, overrides or ()).model_dump(mode="json")
    if as_json:
        print_json(values)
    else:
        print(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), end="")


def main() -> None:
    """Entry point: runs the command; an error becomes one line, its traceback shown with --debug."""
    # Before TensorFlow is imported, or its C++ part and Python's warnings print anyway.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        app()
    except Exception as error:  # the outermost frame: all that is left to do is to tell the user
        if "--debug" in sys.argv:
            traceback.print_exc()
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


if __name__ == "__main__":
    main()
