"""`effnet predict FOLDER`: answers for all images below it, as a table, as JSON or on the screen."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from components.common.model_info import known_threshold, read_model_info
from components.common.printable import printable_json
from components.served_model.versions import fingerprint
from pipeline.config.model import ConfigError, PipelineConfig
from pipeline.serving.answer_table import AnswerTable
from pipeline.serving.batches import ImageOnDisk, answer_all, find_images
from pipeline.serving.classifier import Answer, Classifier
from pipeline.serving.predict import make_prediction
from pipeline.serving.served import served_model_path
from pipeline.shared_options import print_json
from pipeline.terminal import make_console, say, styled

SECONDS_BETWEEN_PLAIN_LINES = 30.0
Batch = list[tuple[str, Answer | str]]


def predict_folders(
    config: PipelineConfig, paths: Sequence[str], table: Path | None, force: bool, as_json: bool
) -> int:
    """Answers for all images, and returns the exit status: 1 if there is not one answer.

    Args:
      config: says which model is served.
      paths: folders and files.
      table: the CSV file to write; None prints the answers.
      force: overwrites it.
      as_json: prints a JSON list of the answers; with `table` the counts.

    Raises:
      ConfigError: the table is there already.
      NothingServed: no model has been pushed yet.
    """
    model_path = served_model_path(config)
    if table and table.exists() and not force:
        raise ConfigError(f"{table} already exists; use --force to overwrite it, or choose another name")
    images, others = find_images(paths)
    if not images:
        raise ConfigError(f"found no images in {', '.join(paths)} ({others:,} other files): check the path")
    if table is None:
        return _print(_answers(config, model_path, images), as_json)
    counts = {"images": 0, "unreadable": 0, "taken_over": 0, "other_files": others}
    says_known = known_threshold(read_model_info(model_path)) is not None
    with AnswerTable(table, fingerprint(model_path), paths, says_known) as writer:
        left = [images[position] for position in writer.left(image.path for image in images)]
        counts["taken_over"] = len(images) - len(left)
        for batch in _answers(config, model_path, left, counts["taken_over"]):
            writer.add(batch)
            counts["images"] += len(batch)
            counts["unreadable"] += sum(isinstance(answer, str) for _, answer in batch)
    if as_json:
        print_json({"written": str(table), **counts})
    else:
        again = f", {counts['taken_over']:,} taken over from before" if counts["taken_over"] else ""
        beside = f"; {others:,} other files skipped" if others else ""
        say(f"{counts['images']:,} images, {counts['unreadable']:,} of them unreadable{again}{beside}")
        say(f"written: {table}")
    return 0 if counts["taken_over"] or counts["images"] > counts["unreadable"] else 1


def _answers(
    config: PipelineConfig, model_path: str, images: Sequence[ImageOnDisk], before: int = 0
) -> Iterator[Batch]:
    """Yields the answers in batches, and shows how far they are."""
    if not images:
        return
    console = make_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading the model", total=before + len(images), completed=before)
        max_pixels = config.data.max_pixels
        started = told = time.monotonic()
        done = 0
        for batch in answer_all(lambda: Classifier(model_path, max_pixels), images, max_pixels):
            yield batch
            done += len(batch)
            now = time.monotonic()
            rate = f"{done / (now - started):,.0f} images/s"
            bar.update(task, completed=before + done, description=rate)
            if not console.is_terminal and now - told >= SECONDS_BETWEEN_PLAIN_LINES:
                told = now
                print(f"{before + done:,}/{before + len(images):,} images, {rate}", file=sys.stderr, flush=True)


def _print(answers: Iterator[Batch], as_json: bool) -> int:
    """Prints answers as they come, so that none has to be kept."""
    answered = False
    console = make_console()
    separator = "[\n"
    for batch in answers:
        for path, answer in batch:
            answered = answered or not isinstance(answer, str)
            if as_json:
                print(separator + printable_json(asdict(make_prediction(path, answer))), end="")
                separator = ",\n"
            elif isinstance(answer, str):
                console.print(styled(f"{path}  ", (answer, "red")), soft_wrap=True)
            else:
                unknown = "  not known" if answer.known is False else ""
                console.print(f"{path}  {answer.class_name}  {answer.probability:.1%}{unknown}", soft_wrap=True)
    if as_json:
        print("\n]")
    return 0 if answered else 1
