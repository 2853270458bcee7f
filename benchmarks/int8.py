"""What a fine-tuned network loses as LiteRT int8: test accuracy of both, on the same stored photos.

    python -m benchmarks.int8 FOLDER --weights WEIGHTS [--variant lite0] [--seed 0] [--epochs 0]

FOLDER holds train/ and test/, each with a folder of photos a class. The network is fine-tuned as in
benchmarks/finetune.py and converted as the pipeline's ModelExporter does it; 200 training photos choose the ranges.
"""

import argparse
import os
import tempfile
from itertools import islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.finetune import Task, fine_tune
from benchmarks.input_pipeline import find_images, store
from components.model_exporter.agreement import Agreement
from components.model_exporter.formats import convert, load
from trainer.input_data import keyed_batches
from trainer.settings import ModelSettings, TransformSettings

REPRESENTATIVE, BATCH = 200, 32


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--variant", default="lite0")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=0)
    options = parser.parse_args()
    settings = ModelSettings(variant=options.variant, weights=options.weights)
    size = settings.chosen_variant.resolution
    images = find_images(options.folder / "train")
    classes = sorted(entry.name for entry in (options.folder / "train").iterdir() if entry.is_dir())
    with tempfile.TemporaryDirectory() as folder:
        store(images, size, Path(folder) / "train.gz")
        store(images[::10], size, Path(folder) / "watched.gz")
        store(find_images(options.folder / "test"), size, Path(folder) / "test.gz")
        model = fine_tune(Task(folder, classes, settings.model_dump(), size, options.seed, options.epochs))

        module = tf.Module()
        module.classify_pixels = tf.function(
            lambda pixels: tf.nn.softmax(model(tf.cast(pixels, tf.float32), training=False)),
            input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8, name="pixels")],
        )
        module.model_variables = [variable.value for variable in model.variables]
        train = keyed_batches([f"{folder}/train.gz"], size, TransformSettings(), BATCH).unbatch().shuffle(1000, 0)
        representative = [pixels.numpy() for pixels, *_ in islice(train, REPRESENTATIVE)]
        content = convert(module, "litert_int8", representative)
        ask = load("litert_int8", content)
        agreement = Agreement()
        for pixels, labels, _ in keyed_batches([f"{folder}/test.gz"], size, TransformSettings(), BATCH):
            wanted = module.classify_pixels(pixels).numpy()
            agreement = agreement.add(ask(pixels.numpy()), wanted, np.asarray(labels))
    accuracies = f"float {agreement.model_accuracy:.4f}, int8 {agreement.accuracy:.4f}"
    print(
        f"{options.variant}, seed {options.seed}: {accuracies} on {agreement.images} photos, the same class for "
        f"{agreement.same_class}; {len(content) / 1e6:.1f} MB"
    )
    print(f"ratio={agreement.accuracy / agreement.model_accuracy:.3f} int8/float accuracy")


if __name__ == "__main__":
    main()
