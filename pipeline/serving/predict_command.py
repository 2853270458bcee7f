"""The commands about pushed models: `effnet predict`, `models`, `rollback` and `serve`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.config.model import PipelineConfig
from pipeline.options import JsonOption, at_work, configured, print_json
from pipeline.terminal import print_table, say, styled

app = typer.Typer()


@app.command()
@configured
def predict(
    settings: PipelineConfig,
    images: Annotated[list[str], typer.Argument(help="Images, of any format that Pillow reads, or folders.")],
    table: Annotated[
        Path | None,
        typer.Option("--csv", help="Write a table: path, class, probability, the second class and its, error."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the pushed model what the images show.

    Folders are read with all that is below them, in batches. A table that was stopped goes on where it was when the
    same command is given again. Files that cannot be read are in it, with the reason.
    """
    from pipeline.serving import predict as prediction

    if table or any(Path(image).is_dir() for image in images):
        from pipeline.serving.folder import predict_folders

        raise typer.Exit(predict_folders(settings, images, table, force, as_json))
    with at_work("asking the model"):
        answers = prediction.predict(settings, images)
    if as_json:
        print_json(answers)
    else:
        shown = Table("image", "class", "probability")
        for answer in answers:
            name = answer.class_name or answer.error or ""
            shown.add_row(answer.path, name, "" if answer.probability is None else f"{answer.probability:.1%}")
        print_table(shown)
    raise typer.Exit(1 if any(answer.error for answer in answers) else 0)


@app.command()
@configured
def models(
    settings: PipelineConfig,
    as_json: JsonOption = False,
) -> None:
    """List the pushed versions, the served one first."""
    from components.served_model.versions import pushed_models, withdrawn

    pushed = pushed_models(settings.push_path)
    if as_json:
        print_json(pushed)
        return
    if not pushed:
        say(f"no model is served from {settings.push_path}; `effnet run` pushes one")
        return
    gone_back_from = withdrawn(pushed)
    served = next((model.version for model in pushed if model.fingerprint), None)
    table = Table("version", "accuracy", "pushed (UTC)", "")
    for model in pushed:
        notes = [styled(("served", "green"))] if model.version == served else []
        notes += [styled(f"rollback to {model.record.rollback_of}")] if model.record.rollback_of else []
        notes += [styled("withdrawn")] if model.fingerprint in gone_back_from else []
        notes += [styled((model.problem, "red"))] if model.problem else []
        accuracy = "-" if model.record.accuracy is None else f"{model.record.accuracy:.4f}"
        pushed_at = (model.record.pushed_at or "-")[:16].replace("T", " ")
        table.add_row(model.version, accuracy, pushed_at, styled(", ").join(notes))
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
