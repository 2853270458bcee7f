"""Finds the images within a Parquet file, as Hugging Face's data sets have them: the bytes in a column, a row an image.

A page of Parquet is compressed as a whole, so no image can be read by itself: their bytes are written into a file of
their own, row group by row group.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from components.image_example_gen.sources.columns import GROUP_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.shards import Found
from components.image_example_gen.sources.values import NoText, SeveralValues, plain_text

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "picture", "photo")
ROWS = 64  # held in memory at a time


def open_parquet(file: Any) -> Any:
    """Returns a pyarrow ParquetFile; see `parquet_errors` for what it raises."""
    # Before pyarrow 14.0.1 a Parquet file can run code through pickle (CVE-2023-47248); importing this closes it, and
    # goes with TFX 1.16, which holds pyarrow at 10.
    try:
        import pyarrow_hotfix  # noqa: F401
    except ImportError:
        import pyarrow

        if int(pyarrow.__version__.split(".")[0]) < 15:
            raise OSError("Parquet needs the package pyarrow-hotfix with this pyarrow: install it") from None
    from pyarrow.parquet import ParquetFile

    return ParquetFile(file)


def parquet_errors() -> tuple[type[Exception], ...]:
    """Returns what reading a Parquet file of unknown origin may raise."""
    import pyarrow

    return (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError, RecursionError)


def index_parquet(
    file: BinaryIO, path: str, shard: str, images: BinaryIO, features: Mapping[str, str]
) -> Iterator[Found | Rejected]:
    """Yields what is in a Parquet file, in its order.

    Args:
        file: the Parquet file.
        path: its path below the root, for names.
        shard: where `images` will lie.
        images: takes the bytes of the images.
        features: "image", "label", "split", "group" -> name of the column, where it is none of the usual ones.
    """
    number = 0
    try:
        table = open_parquet(file)
        schema = table.schema_arrow
        described = _described(schema.metadata or {})
        columns = _choose(schema.names, described, features)
        if isinstance(columns, str):
            yield Rejected(path, "bad_row", columns)
            return
        names = described.get(columns["label"], {}).get("names")
        for group in range(table.num_row_groups):
            wanted = [name for name in columns.values() if name]
            for batch in table.iter_batches(batch_size=ROWS, row_groups=[group], columns=wanted):
                for row in batch.to_pylist():
                    yield _index_row(row, f"{path}/{number}", columns, names, shard, images)
                    number += 1
    except parquet_errors() as error:
        yield Rejected(path, "truncated", f"the Parquet file is damaged after {number} rows: {error}")


def _described(metadata: Mapping[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """Returns Hugging Face's description of the columns, {} without one."""
    try:
        described = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return {name: kind for name, kind in described.items() if isinstance(kind, dict)} if described else {}


def _choose(
    names: Sequence[str], described: Mapping[str, Mapping[str, Any]], features: Mapping[str, str]
) -> dict[str, str] | str:
    """Returns part -> column, or what is wrong with them."""
    usual = {"split": SPLIT_COLUMNS, "group": GROUP_COLUMNS}
    columns = {part: features.get(part) or _first(names, known) for part, known in usual.items()}
    images = [name for name in names if described.get(name, {}).get("_type") == "Image"]
    classes = [name for name in names if described.get(name, {}).get("_type") == "ClassLabel"]
    image = features.get("image") or (images[0] if len(images) == 1 else _first(names, IMAGE_COLUMNS))
    label = features.get("label") or _first(classes, LABEL_COLUMNS) or _first(names, LABEL_COLUMNS)
    if not label and len(classes) == 1:
        label = classes[0]
    if image not in names or label not in names:
        return (
            f"got the columns {', '.join(names)}, expected one with images and one with classes: say which with "
            "data.image_column and data.label_column (effnet init --image-column, --label-column)"
        )
    return {"image": image, "label": label, **columns}


def _index_row(
    row: Mapping[str, Any],
    name: str,
    columns: Mapping[str, str],
    class_names: Sequence[str] | None,
    shard: str,
    images: BinaryIO,
) -> Found | Rejected:
    image = row[columns["image"]]
    data = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(data, bytes):
        return Rejected(name, "bad_row", f"{columns['image']} has no bytes of an image")
    try:
        label, split, group = (plain_text(row.get(columns[part])) for part in ("label", "split", "group"))
        if class_names and label.lstrip("-").isdecimal():
            if int(label) < 0:  # Hugging Face's mark of a test split
                label = ""
            elif int(label) >= len(class_names):
                return Rejected(name, "bad_row", f"the label {label} is none of the {len(class_names)} classes")
            else:
                label = str(class_names[int(label)])
    except SeveralValues as error:
        return Rejected(name, "multi_label", f"{error}, expected one for each image")
    except NoText as error:
        return Rejected(name, "bad_row", f"{columns['label']}: {error}")
    if not label:
        return Rejected(name, "unlabelled", f"{columns['label']} says nothing")
    offset = images.tell()
    images.write(data)
    return Found(name, shard, offset, len(data), label, split, group)


def _first(names: Sequence[str], known: Sequence[str]) -> str:
    return next((name for one in known for name in names if name.lower() == one), "")
