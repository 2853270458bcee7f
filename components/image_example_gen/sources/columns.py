"""Which columns of a label file name the image, and which its class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components.common.errors import DataError
from components.image_example_gen.sources.csv_json_tables import NotARow, Table
from components.image_example_gen.sources.settings import ReadingSettings
from components.image_example_gen.sources.values import NoText, SeveralValues, plain_text

# Usual names, in any case and with blanks, - or _ between their words. Of those that are there the one whose values
# are files is taken, the first of several.
IMAGE_COLUMNS = (
    "path", "file_name", "filename", "file", "image", "image_path", "image_name", "image_id", "filepath", "name", "id",
)  # fmt: skip
LABEL_COLUMNS = (
    "class_name", "label_name", "label", "class", "category", "target", "breed", "species", "diagnosis", "choice",
)  # fmt: skip
SPLIT_COLUMNS = ("split", "subset")
GROUP_COLUMNS = ("group",)
LOOKED_AT = 200  # rows, to tell what a column holds
CHOSEN = frozenset({"1", "1.0", "true"})  # in a one-hot column, in lower case
_ONE_HOT = CHOSEN | {"0", "0.0", "false"}


@dataclass(frozen=True)
class Columns:
    """The columns of a label file; "" for what it has not.

    Attributes:
        image: names the image.
        label: its class; "" if `one_hot` tells it.
        one_hot: a column for each class, with 1 in the one that is meant.
        split: train, val or eval.
        group: images of one group fall into one split.
        found: how many of the rows that were looked at name a file.
    """

    image: str
    label: str
    one_hot: tuple[str, ...] = ()
    split: str = ""
    group: str = ""
    found: int = 0

    def __str__(self) -> str:
        label = f"{len(self.one_hot)} one-hot columns" if self.one_hot else f"the class in {self.label}"
        also = "".join(
            f", the {what} in {name}" for what, name in (("split", self.split), ("group", self.group)) if name
        )
        return f"the image in {self.image}, {label}{also}"


def choose_columns(table: Table, settings: ReadingSettings, is_file: Callable[[str], bool]) -> Columns:
    """Returns the columns of a label file.

    Args:
        table: the label file.
        settings: its `image_column` and `label_column` win.
        is_file: tells whether a value names a file.

    Raises:
        DataError: if they are not there; names those that are.
    """
    sample = [row for _, row in table.rows[:LOOKED_AT] if not isinstance(row, NotARow)]
    image, found = _image_column(table, settings.image_column, sample, is_file)
    split, group = _first(table, SPLIT_COLUMNS), _first(table, GROUP_COLUMNS)
    others = [name for name in table.columns if name not in (image, split, group)]
    label = settings.label_column if settings.label_column in others else ""
    if not label and not settings.label_column:
        label = next((name for known in LABEL_COLUMNS for name in others if _key(name) == known), "")
    one_hot = () if label or settings.label_column else _one_hot(others, sample)
    if not image or not (label or one_hot):
        if headless := next((name for name in table.columns if is_file(name)), ""):
            raise DataError(
                f"got {table.name} whose first line names the file {headless}, expected column names there, "
                "such as path,label: add a line"
            )
        raise DataError(_unknown(table, settings, image, label))
    return Columns(image, label, one_hot, split, group, found)


def _image_column(
    table: Table, wanted: str, sample: Sequence[dict[str, Any]], is_file: Callable[[str], bool]
) -> tuple[str, int]:
    candidates = [name for known in IMAGE_COLUMNS for name in table.columns if _key(name) == known]
    if wanted:
        candidates = [wanted] if wanted in table.columns else []
    found = {name: sum(is_file(_text(row.get(name))) for row in sample) for name in candidates}
    best = max(candidates, key=lambda name: found[name], default="")
    return best, found.get(best, 0)


def _one_hot(names: Sequence[str], sample: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    columns = tuple(
        name for name in names if sample and all(_text(row.get(name)).lower() in _ONE_HOT for row in sample)
    )
    meant = any(sum(_text(row[name]).lower() in CHOSEN for name in columns) == 1 for row in sample)
    return columns if len(columns) > 1 and meant else ()


def _unknown(table: Table, settings: ReadingSettings, image: str, label: str) -> str:
    wanted = []
    if not image:
        wanted.append(settings.image_column or f"the image's name ({', '.join(IMAGE_COLUMNS)})")
    if not label:
        wanted.append(settings.label_column or f"its class ({', '.join(LABEL_COLUMNS)}; or one-hot columns)")
    return (
        f"got {table.name} with the columns {', '.join(table.columns) or 'none'}, expected one with "
        f"{' and one with '.join(wanted)}: rename it, or set data.image_column and data.label_column (effnet init "
        "--image-column, --label-column)"
    )


def _first(table: Table, known: Sequence[str]) -> str:
    return next((name for name in table.columns if _key(name) in known), "")


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _text(value: Any) -> str:
    try:
        return plain_text(value)
    except (SeveralValues, NoText):
        return ""
