"""`effnet predict`, as a user types it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.config.model import PipelineConfig
from pipeline.shared_options import JsonOption, at_work, configured, print_json
from pipeline.terminal import print_table

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
