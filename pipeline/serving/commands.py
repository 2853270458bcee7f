"""The commands about pushed models: `effnet predict`, `models`, `rollback` and `serve`."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.config.model import PipelineConfig
from pipeline.options import JsonOption, at_work, configured, print_json
from pipeline.terminal import print_table, say

app = typer.Typer()


@app.command()
@configured
def predict(
    settings: PipelineConfig,
    images: Annotated[list[str], typer.Argument(help="Image files, of any format that Pillow reads.")],
    as_json: JsonOption = False,
) -> None:
    """Ask the pushed model what the images show."""
    from pipeline.serving import predict as prediction

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
@configured
def models(
    settings: PipelineConfig,
    as_json: JsonOption = False,
) -> None:
    """List the pushed versions, the served one first."""
    from components.atomic_pusher.store import pushed_models

    pushed = pushed_models(settings.push_path)
    if as_json:
        print_json(pushed)
        return
    if not pushed:
        say(f"no model is served from {settings.push_path}; `effnet run` pushes one")
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
@configured
def rollback(
    settings: PipelineConfig,
    version: Annotated[str | None, typer.Argument(help="As `effnet models` lists it; else the one before.")] = None,
) -> None:
    """Serve an older model again, as a new version; the next run is compared with it."""
    from components.atomic_pusher import store

    back = store.rollback(settings.push_path, version, settings.push.keep)
    print(f"version {back.version} is served now: the model of version {back.record.rollback_of}")


@app.command()
@configured
def serve(
    settings: PipelineConfig,
    port: Annotated[int, typer.Option(help="Of the REST interface.", min=1, max=65535)] = 8501,
) -> None:
    """Serve the pushed model with TensorFlow Serving, or print the Docker command that does."""
    from pipeline.serving.server import serve as start

    start(settings, port)
