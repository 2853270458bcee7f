"""`effnet init`, as a user types it."""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from components.common.human_format import counted
from pipeline.config.data import Layout
from pipeline.exit_codes import ExitCode
from pipeline.shared_options import DebugOption, JsonOption, print_json
from pipeline.terminal import make_console, say, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.image_example_gen.sources.plan import AmbiguousLayout
    from components.image_example_gen.sources.settings import ReadingSettings
    from pipeline.init.suggestions import StartingWeights, Suggestion
    from pipeline.init.survey import FolderSurvey

app = typer.Typer()

MOST_PROBLEMS = 5
TIMM_NAME = re.compile(r"tf_efficientnet_([a-z0-9]+)")
KERAS_WEIGHTS = "efficientnetb0_notop.h5"  # Keras' name for the published file, in its cache after a download


@app.command()
def init(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of class folders, of images with a label file, or of shards; or 'photos/{SPAN}'."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("pipeline.yaml"),
    weights: Annotated[
        str | None,
        typer.Option(
            help="none; imagenet (downloaded once); or the path or URL of timm's tf_efficientnet_*.safetensors. By "
            "default imagenet if it was downloaded before."
        ),
    ] = None,
    weights_sha256: Annotated[
        str | None, typer.Option(help="Of the file that --weights names; a URL needs it.")
    ] = None,
    measure: Annotated[
        bool, typer.Option(help="Train 20 steps, up to a minute, for the forecast; else it is a rule of thumb.")
    ] = True,
    layout: Annotated[
        Layout,
        typer.Option(help="How to read the folder if that is ambiguous."),
    ] = "auto",
    image_column: Annotated[str, typer.Option(help="Column of a label file or Parquet with the image.")] = "",
    label_column: Annotated[str, typer.Option(help="Column of a label file or Parquet with the class.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Survey a folder of images and write a pipeline.yaml for it, with reasons and a forecast."""
    from components.image_example_gen.sources.plan import AmbiguousLayout
    from components.image_example_gen.sources.settings import ReadingSettings
    from pipeline.config.data import DataSettings
    from pipeline.config.load import load_config
    from pipeline.init.forecast import forecast_seconds
    from pipeline.init.suggestions import suggest
    from pipeline.init.survey import survey
    from pipeline.init.write import make_configuration, write_configuration

    start = _start(weights, weights_sha256)
    path = str(folder.expanduser().resolve())
    settings = ReadingSettings(layout, image_column, label_column)
    console = make_console(stderr=as_json)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the images", total=None)
        ambiguous: AmbiguousLayout | None = None
        try:
            found = survey(
                path,
                DataSettings(path=path).max_pixels,
                lambda done, total: bar.update(task, completed=done, total=total),
                settings,
            )
        except AmbiguousLayout as error:
            ambiguous = error
    if ambiguous:
        _print_readings(ambiguous, folder, as_json)
        raise typer.Exit(ExitCode.USAGE)
    gpu = shutil.which("nvidia-smi") is not None
    suggestions = [*_asked_for(settings), *suggest(found, gpu, start)]
    notes = [f"{name}: {value}" if name else f"  {value}" for name, value in _facts(found)]
    write_configuration(output, make_configuration(path, output, suggestions, notes), force)
    written = load_config(output)  # an error in what was written is reported here
    pace = None
    if measure:
        from trainer.pace import measure_pace

        with console.status("measuring how fast this machine trains"):
            pace = measure_pace(written.model.model_dump(), written.train.model_dump(), len(found.classes))
    seconds = forecast_seconds(found, {chosen.key: chosen.value for chosen in suggestions}, gpu, pace)

    if as_json:
        result = {"found": found, "suggestions": suggestions, "forecast_seconds": seconds, "written": str(output)}
        print_json(result)
        return
    _print(console, found, suggestions)
    if start is None:
        print("training from scratch; --weights imagenet starts from published weights, which is better for few photos")
    forecast = (
        "unknown (training uses the GPU)" if seconds is None else f"about {counted(round(seconds / 60), 'minute')}"
    )
    print(f"estimated time of a run: {forecast}")
    named = "" if output == Path("pipeline.yaml") else f" --config {shlex.quote(str(output))}"
    say(f"wrote {output}; next: effnet run{named}")


def _asked_for(settings: "ReadingSettings") -> "list[Suggestion]":
    """The options of this command that say how to read the images: a run has to read them the same way."""
    from pipeline.init.suggestions import Suggestion

    asked = {"layout": "" if settings.layout == "auto" else settings.layout} | {
        "image_column": settings.image_column,
        "label_column": settings.label_column,
    }
    return [Suggestion(f"data.{key}", value, "as you asked") for key, value in asked.items() if value]


def _print_readings(error: "AmbiguousLayout", folder: Path, as_json: bool) -> None:
    """Lists the ways to read the folder, and how to choose one."""
    if as_json:
        print_json({"readings": error.readings, "spans": error.spans})
        return
    say(f"{folder} can be read in {len(error.readings)} ways; nothing was written. Choose one:")
    for reading in error.readings:
        choice = f"effnet init {shlex.quote(str(folder))} --layout {reading.layout}"
        if len({other.layout for other in error.readings}) < len(error.readings):
            choice = "give effnet init the label file itself"
        say(f"  {reading}\n    {choice}")
    if error.spans:
        spans = shlex.quote(f"{folder}/{{SPAN}}")
        say(f"  a folder for each day or number, of which the latest is read\n    effnet init {spans}")


def _facts(found: "FolderSurvey") -> list[tuple[str, str]]:
    side, low, high = found.shorter_sides
    counts = sorted(found.classes.items(), key=lambda item: item[1])
    (fewest, least), (most, largest) = counts[0], counts[-1]
    sample = "" if found.looked_at >= found.images else f" (of {found.looked_at:,} that were read)"
    sides = "" if low == high else f", mostly {low:.0f} to {high:.0f}"
    splits = (
        f"folders for {', '.join(found.given_splits)}" if found.given_splits else "none; images are split by content"
    )
    about = "about " if found.sampled else ""
    return [
        ("read as", found.reading),
        *(("", f"{path}: {_meaning(*rest)}") for path, *rest in found.rows),
        *([("sample", f"{found.sampled}; there may be more classes")] if found.sampled else []),
        ("images", f"{about}{found.images:,} files in {len(found.classes)} classes"),
        ("class sizes", f"{least:,} ({fewest}) to {largest:,} ({most})"),
        ("splits", splits),
        ("shorter side", f"{side:.0f} px{sides}{sample}"),
        (
            "shapes",
            "nearly all the same"
            if found.aspect_spread < 1.1
            else f"width over height varies by a factor of {found.aspect_spread:.1f}",
        ),
        ("formats", ", ".join(f"{name} {count:,}" for name, count in found.formats.items())),
        ("copies", f"{found.copies:,} identical, {found.near_copies:,} nearly identical{sample}"),
        ("unreadable", f"{len(found.problems):,}{sample}; ignored by name: {found.litter:,}"),
    ]


def _meaning(class_name: str, split: str, group: str) -> str:
    """How an image was understood."""
    said = [class_name, f"split {split}" if split else "", f"group {group}" if group else ""]
    return ", ".join(filter(None, said))


def _print(console: Console, found: "FolderSurvey", suggestions: "Sequence[Suggestion]") -> None:
    for name, value in _facts(found):
        console.print(styled((f"{name:<16}", "bold"), value), soft_wrap=True)
    for note in found.notes:
        console.print(f"{'note':<16}{note}", soft_wrap=True)
    for path, message in found.problems[:MOST_PROBLEMS]:
        console.print(f"{'':<16}{path}: {message}", soft_wrap=True)
    table = Table("setting", "value", "because")
    for chosen in suggestions:
        table.add_row(chosen.key, str(chosen.value), chosen.reason)
    console.print(table)


def _start(weights: str | None, sha256: str | None) -> "StartingWeights | None":
    """The weights to start from; None: from scratch.

    Raises:
      ConfigError: the file does not say of which network it is.
    """
    from pipeline.config.model import ConfigError
    from pipeline.init.suggestions import StartingWeights
    from trainer.scaling import VARIANTS

    if weights is None:
        return StartingWeights("imagenet", "b0") if _published_weights_are_here() else None
    if weights == "none":
        return None
    if weights == "imagenet":
        return StartingWeights("imagenet", "b0")
    named = [name for name in TIMM_NAME.findall(weights.lower()) if name in VARIANTS]
    if not named:
        raise ConfigError(
            f"--weights {weights}: expected none, imagenet, or a path or URL that says tf_efficientnet_b0 or the like; "
            "set model.weights and model.variant in pipeline.yaml for another file"
        )
    place = weights if "://" in weights else str(Path(weights).expanduser().resolve())
    return StartingWeights(place, named[-1], sha256)


def _published_weights_are_here() -> bool:
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return (cache / "models" / KERAS_WEIGHTS).is_file()
