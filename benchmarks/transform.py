"""How fast images become stored training images, and how small: our ingest and Transform against TFX's image examples.

Ours forecasts its size, stores JPEG files of the network's resolution and counts them afterwards. The peer is the
pattern of TFX's own image examples: Transform decodes, resizes and stores float32 features. Both start from the same
ingested examples, in one pipeline of one process; seconds are those that ML Metadata notes for the steps, their start
included.

    python -m benchmarks.transform [FOLDER] [--images 2000] [--size 224]

FOLDER holds JPEG files, at any depth, which are repeated to the number of images; each copy ends in other bytes.
Without it, pieces are cut from the two photographs that scikit-learn ships.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.data_steps import ingest_steps, make_folder, run_steps, size_of
from benchmarks.input_pipeline import generate_photos
from trainer.settings import TransformSettings


def peer_preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Decodes and resizes to float32 (batch, size, size, 3), as TFX's image examples do."""
    size = custom_config["image_size"]

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.ensure_shape(tf.image.resize(pixels, [size, size]), [size, size, 3])

    images = tf.map_fn(decode, tf.reshape(inputs["image"], [-1]), fn_output_signature=tf.float32)
    return {"image": images, "label": tf.reshape(inputs["label"], [-1])}


def run_pipeline(folder: Path, home: Path, size: int) -> dict[str, float]:
    """Runs ingest, ours and the peer's Transform; returns the seconds of each node."""
    from tfx import v1 as tfx

    from components.image_transform.component import ImageTransform

    # The photographs are repeated: as near copies they would all lie in one split.
    ingest, schema = ingest_steps(folder, near_duplicates=False)
    splits = tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val", "eval"])
    common = {
        "examples": ingest.outputs["examples"],
        "schema": schema.outputs["schema"],
        "splits_config": splits,
        "disable_statistics": True,
    }
    ours = ImageTransform(
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        custom_config={"image_size": size, **TransformSettings().model_dump()},
        **common,
    ).with_id("ours")
    peer = tfx.components.Transform(
        preprocessing_fn="benchmarks.transform.peer_preprocessing_fn", custom_config={"image_size": size}, **common
    ).with_id("peer")
    return run_steps([ingest, schema, ours, peer], home)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transform", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="JPEG files, at any depth (default: generated)")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224, help="pixels a side for the network")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        if options.folder is None:
            generate_photos(home / "photos")
        make_folder(options.folder or home / "photos", home / "images", options.images)
        seconds = run_pipeline(home / "images", home, options.size)
        sizes = {name: size_of(home, f"{name}/transformed_examples") for name in ("ours", "peer")}
    print(f"{options.images} images, {options.size} px, {len(os.sched_getaffinity(0))} CPU cores")
    print(f"ingest: {options.images / seconds['ImageExampleGen']:.0f} images/s")
    for name, size in sizes.items():
        rate = options.images / seconds[name]
        print(f"Transform, {name}: {rate:.0f} images/s, {size / options.images / 1000:.1f} kB an image")
    print(f"ratio={seconds['peer'] / seconds['ours']:.2f} ours/peer (speed)")
    print(f"ratio={sizes['peer'] / sizes['ours']:.2f} ours/peer (images a byte)")


if __name__ == "__main__":
    main()
