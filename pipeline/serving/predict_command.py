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
    images: Annotated[list[str], typer.Argument(help="Image files of any format that Pillow reads, or folders.")],
    table: Annotated[
        Path | None,
        typer.Option("--csv", help="Write the answers to a CSV table.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the pushed model what images show.

    Folders are searched at any depth. The table has a row for each image: its path, the class and its probability, the
    second class and its probability, for a file that cannot be read the error, and whether it is known, if the model
    says so (serving.known_precision). If the command is interrupted, the same command resumes the table.
    """
    from pipeline.serving import predict as prediction
    from pipeline.serving.answer_table import YES_OR_NO

    if table or any(Path(image).is_dir() for image in images):
        from pipeline.serving.folder import predict_folders

        raise typer.Exit(predict_folders(settings, images, table, force, as_json))
    with at_work("asking the model"):
        answers = prediction.predict(settings, images)
    if as_json:
        print_json(answers)
    else:
        says_known = any(answer.known is not None for answer in answers)
        shown = Table("image", "class", "probability", *(["known"] if says_known else []))
        for answer in answers:
            name = answer.class_name or answer.error or ""
            row = [answer.path, name, "" if answer.probability is None else f"{answer.probability:.1%}"]
            shown.add_row(*row, *([YES_OR_NO[answer.known]] if says_known else []))
        print_table(shown)
    raise typer.Exit(1 if any(answer.error for answer in answers) else 0)
