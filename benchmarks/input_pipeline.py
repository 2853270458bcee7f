"""How many images a second reach the training step: our reader against tf.data on the folder itself.

Ours reads what the pipeline's Transform step stored once: JPEG files of the network's resolution in gzipped TFRecords.
The peer is what one writes without a pipeline: list the files, decode each full-size image and resize it, every epoch.
Both shuffle, decode in parallel, batch by 32 and prefetch; both leave the images otherwise alone, as float32. Neither
keeps images in memory: decoded ones are larger than memory where the speed of reading matters. With --augment ours does
the official recipe's crop, flip and RandAugment on top, and the peer still nothing.

    python -m benchmarks.input_pipeline [FOLDER] [--size 224] [--epochs 2] [--rounds 3] [--augment]

FOLDER holds a folder of images a class. Without it 256 JPEG files of 500 to 640 pixels a side are cut from the two
photographs that scikit-learn ships. Rounds alternate between the two, and medians count.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from PIL import Image

from trainer import input_data
from trainer.input_data import open_split, train_batches
from trainer.preprocessing import preprocessing_fn
from trainer.recipes import OFFICIAL, Augment
from trainer.runtime import prepare_cpu_process
from trainer.settings import TransformSettings

BATCH_SIZE = 32
SUFFIXES = (".jpg", ".jpeg", ".png")
GENERATED = 256


def generate_photos(folder: Path) -> None:
    """Cuts photographs of the usual proportions, in two classes, from scikit-learn's two."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    for label, photo in enumerate(load_sample_images().images):
        (folder / str(label)).mkdir(parents=True)
        for number in range(GENERATED // 2):
            top, left = rng.integers(0, photo.shape[0] - 320), rng.integers(0, photo.shape[1] - 400)
            piece = Image.fromarray(photo[top : top + 320, left : left + 400])
            width = int(rng.integers(500, 641))
            piece.resize((width, width * 4 // 5)).save(folder / str(label) / f"{number}.jpg", quality=90)


def find_images(folder: Path) -> list[tuple[str, int]]:
    """(path, label) of every image, labels by the sorted names of the class folders."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    return [
        (str(path), label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]


def store(images: list[tuple[str, int]], size: int, path: Path) -> None:
    """Writes what the pipeline's Transform step would, with its own preprocessing function."""
    choices = {"image_size": size, **TransformSettings().model_dump()}
    transform = tf.function(lambda image: preprocessing_fn({"image": image, "label": [0]}, choices)["image"])
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for name, label in images:
            stored = transform(tf.constant([Path(name).read_bytes()]))[0].numpy()
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[stored])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def folder_batches(images: list[tuple[str, int]], size: int, num_classes: int, epochs: int) -> tf.data.Dataset:
    """The peer: decodes and resizes full-size files in every epoch."""

    def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.image.resize(pixels, [size, size]), tf.one_hot(label, num_classes)

    paths, labels = zip(*images, strict=True)
    return (
        tf.data.Dataset.from_tensor_slices((list(paths), list(labels)))
        .shuffle(len(images), seed=0)
        .repeat(epochs)
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(BATCH_SIZE, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def images_per_second(make: Callable[[], tf.data.Dataset]) -> float:
    """Reads all batches; the first one, which starts the threads, is not timed."""
    batches = iter(make())
    next(batches)
    start = time.perf_counter()
    count = sum(int(images.shape[0]) for images, _ in batches)
    return count / (time.perf_counter() - start)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.input_pipeline", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of images a class (default: generated)")
    parser.add_argument("--size", type=int, default=224, help="pixels a side for the network")
    parser.add_argument("--epochs", type=int, default=2, help="epochs a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--augment", action="store_true", help="ours with the official recipe's augmentation")
    options = parser.parse_args()
    augment = OFFICIAL.augment if options.augment else Augment()
    input_data.CACHE_LIMIT_BYTES = 0
    prepare_cpu_process()  # as in the process that trains

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "photos"
        if options.folder is None:
            generate_photos(folder)
        images = find_images(folder)
        if len(images) < 2 * BATCH_SIZE:
            parser.exit(1, f"{folder} holds {len(images)} images in class folders, expected {2 * BATCH_SIZE} or more\n")
        num_classes = max(label for _, label in images) + 1
        records = Path(temporary) / "stored.gz"
        start = time.perf_counter()
        store(images, options.size, records)
        seconds = time.perf_counter() - start
        split = open_split([str(records)], options.size, num_classes)
        cores = len(os.sched_getaffinity(0))
        print(f"{len(images)} images of {folder}, {options.size} px, batch {BATCH_SIZE}, {cores} CPU cores")
        print(f"storing them once, as Transform does: {seconds:.1f} s (not counted)")

        candidates = {
            "ours": lambda: train_batches(split, batch_size=BATCH_SIZE, epochs=options.epochs, seed=0, augment=augment),
            "peer": lambda: folder_batches(images, options.size, num_classes, options.epochs),
        }
        speeds: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(options.rounds):
            for name, make in candidates.items():
                speeds[name].append(images_per_second(make))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    print(f"ours, from stored JPEG{' and augmented' if options.augment else ''}: {medians['ours']:.0f} images/s")
    print(f"peer, tf.data from the folder: {medians['peer']:.0f} images/s")
    print(f"ratio={medians['ours'] / medians['peer']:.2f} ours/peer")


if __name__ == "__main__":
    main()
