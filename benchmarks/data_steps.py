"""What the benchmarks of the data steps share: a folder of photos of any number, a pipeline, and its steps' seconds."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from apache_beam.options.pipeline_options import StandardOptions

from pipeline.history.metadata import open_store
from pipeline.steps.data import SCHEMA_PATH

CLASSES = 4


def make_folder(photos: Path, folder: Path, images: int) -> None:
    """Writes `images` JPEG files below class folders; repeated ones end in other bytes."""
    originals = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    for number, path in zip(range(images), itertools.cycle(originals), strict=False):
        copy = folder / f"class{number % CLASSES}" / f"{number}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes() + number.to_bytes(4, "big"))


def ingest_steps(folder: Path, **choices: Any) -> list[Any]:
    """ImageExampleGen and CuratedSchema on a folder."""
    from components.curated_schema.component import CuratedSchema
    from components.image_example_gen.component import ImageExampleGen

    ingest = ImageExampleGen(path=str(folder), **choices)
    return [ingest, CuratedSchema(schema_path=str(SCHEMA_PATH), report=ingest.outputs["report"])]


def run_steps(components: Sequence[Any], home: Path) -> dict[str, float]:
    """Runs components in this process; returns the seconds of each, its start included, as ML Metadata notes them."""
    from tfx import v1 as tfx

    StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
    database = home / "metadata.sqlite"
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="benchmark",
        pipeline_root=str(home / "artifacts"),
        components=list(components),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(str(database)),
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
    store = open_store(database)
    return {
        context.name.rpartition(".")[2]: (execution.last_update_time_since_epoch - execution.create_time_since_epoch)
        / 1000
        for context in store.get_contexts_by_type("node")
        for execution in store.get_executions_by_context(context.id)
    }


def size_of(home: Path, pattern: str) -> int:
    """Bytes of the gzipped shards in an output of a step, such as "Transform/transformed_examples"."""
    return sum(path.stat().st_size for path in home.glob(f"artifacts/{pattern}/**/*.gz"))
