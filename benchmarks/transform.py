"""How fast images become stored training images, and how small: our ingest and Transform against TFX's image examples.

Ours checks every image, decides the splits, and stores JPEG files of the network's resolution. The peer is the pattern
of TFX's own image examples: Transform decodes, resizes and stores float32 features. Both start from the same ingested
examples, in one pipeline of one process; seconds are those that ML Metadata notes for the steps, their start included.

    python -m benchmarks.transform [FOLDER] [--images 2000] [--size 224]

FOLDER holds JPEG files, at any depth, which are repeated to the number of images; each copy ends in other bytes.
Without it, pieces are cut from the two photographs that scikit-learn ships.
"""

import argparse
import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from apache_beam.options.pipeline_options import StandardOptions

from benchmarks.input_pipeline import generate_photos
from pipeline.dag import SCHEMA_PATH
from pipeline.run_record import open_store
from trainer.settings import TransformSettings

CLASSES = 4


def peer_preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Decodes and resizes to float32 (batch, size, size, 3), as TFX's image examples do."""
    size = custom_config["image_size"]

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.ensure_shape(tf.image.resize(pixels, [size, size]), [size, size, 3])

    images = tf.map_fn(decode, tf.reshape(inputs["image"], [-1]), fn_output_signature=tf.float32)
    return {"image": images, "label": tf.reshape(inputs["label"], [-1])}


def make_folder(photos: Path, folder: Path, images: int) -> None:
    """Writes `images` JPEG files below class folders."""
    originals = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    for number, path in zip(range(images), itertools.cycle(originals), strict=False):
        copy = folder / f"class{number % CLASSES}" / f"{number}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes() + number.to_bytes(4, "big"))


def run_pipeline(folder: Path, home: Path, size: int) -> dict[str, float]:
    """Runs ingest, ours and the peer's Transform; returns the seconds of each node."""
    from tfx import v1 as tfx

    from components.curated_schema.component import CuratedSchema
    from components.image_example_gen.component import ImageExampleGen

    database = home / "metadata.sqlite"
    # The photographs are repeated: as near copies they would all lie in one split.
    ingest = ImageExampleGen(path=str(folder), near_duplicates=False)
    schema = CuratedSchema(schema_path=str(SCHEMA_PATH), report=ingest.outputs["report"])
    functions = {
        "ours": ("trainer.preprocessing.preprocessing_fn", TransformSettings().model_dump()),
        "peer": ("benchmarks.transform.peer_preprocessing_fn", {}),
    }
    transforms = [
        tfx.components.Transform(
            examples=ingest.outputs["examples"],
            schema=schema.outputs["schema"],
            preprocessing_fn=function,
            custom_config={"image_size": size, **settings},
            disable_statistics=True,
        ).with_id(name)
        for name, (function, settings) in functions.items()
    ]
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="benchmark",
        pipeline_root=str(home / "artifacts"),
        components=[ingest, schema, *transforms],
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


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transform", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="JPEG files, at any depth (default: generated)")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224, help="pixels a side for the network")
    options = parser.parse_args()
    StandardOptions.DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        if options.folder is None:
            generate_photos(home / "photos")
        make_folder(options.folder or home / "photos", home / "images", options.images)
        seconds = run_pipeline(home / "images", home, options.size)
        sizes = {
            name: sum(path.stat().st_size for path in home.glob(f"artifacts/{name}/transformed_examples/**/*.gz"))
            for name in ("ours", "peer")
        }
    print(f"{options.images} images, {options.size} px, {len(os.sched_getaffinity(0))} CPU cores")
    print(f"ingest: {options.images / seconds['ImageExampleGen']:.0f} images/s")
    for name, size in sizes.items():
        rate = options.images / seconds[name]
        print(f"Transform, {name}: {rate:.0f} images/s, {size / options.images / 1000:.1f} kB an image")
    print(f"ratio={seconds['peer'] / seconds['ours']:.2f} ours/peer (speed)")
    print(f"ratio={sizes['peer'] / sizes['ours']:.2f} ours/peer (images a byte)")


if __name__ == "__main__":
    main()
