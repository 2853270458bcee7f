"""The pipeline.yaml of `effnet init`: the shipped one with its comments, and other values."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from components.common import files
from components.common.printable import printable
from components.image_example_gen.sources.spans import PLACEHOLDER
from pipeline.config.edit import Scalar, with_values
from pipeline.config.load import DEFAULT_PATH
from pipeline.init.suggestions import Suggestion

NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]+")


class AlreadyThere(FileExistsError):
    """A file would be overwritten."""


def name_of(folder: str) -> str:
    """A pipeline's name from a folder's, or from the one above it: lower-case Latin letters, digits, _ and -."""
    parts = [part for part in Path(folder).with_suffix("").parts[::-1] if PLACEHOLDER not in part]
    names = (NOT_IN_A_NAME.sub("-", part.lower()).strip("-_") for part in parts)
    return next((name for name in names if re.search("[a-z]", name)), "images")[:63]


def make_configuration(folder: str, output: Path, suggestions: Sequence[Suggestion], notes: Sequence[str]) -> str:
    """The shipped pipeline.yaml with these values, below a header with the findings and the reasons.

    Args:
      folder: absolute path of the images; `data.path` is relative if they are below the file's own folder, so that
        both can be moved together.
      output: path of the file.
      suggestions: values and reasons.
      notes: the findings, a line each.
    """
    home = output.resolve().parent
    path = Path(folder).relative_to(home) if Path(folder).is_relative_to(home) else folder
    values = {"name": name_of(folder), "data.path": str(path)} | {found.key: found.value for found in suggestions}
    reasons = [f"{found.key}: {_scalar(found.value)} ({found.reason})" for found in suggestions]
    head = ["Written by `effnet init`. Found:", *(f"  {note}" for note in notes)]
    head += ["Chosen:", *(f"  {reason}" for reason in reasons)]
    text = with_values(DEFAULT_PATH.read_text(encoding="utf-8"), values)
    # A name may hold a line break, which would end the comment, and characters that YAML does not allow even there.
    comments = "".join(f"# {printable(' '.join(line.splitlines()))}".rstrip() + "\n" for line in head)
    return f"{comments}\n{text}"


def _scalar(value: Scalar) -> str:
    """A value on one line of YAML, quoted if necessary."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def write_configuration(path: Path, text: str, force: bool) -> None:
    """Writes the file.

    Raises:
      AlreadyThere: it exists and `force` is not set.
    """
    if path.exists() and not force:
        raise AlreadyThere(f"{path} already exists; --force overwrites it, --output chooses another file")
    files.write_text(str(path), text)
