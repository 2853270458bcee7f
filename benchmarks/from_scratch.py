"""How good does a network get from scratch on few photos: the official recipe against Keras' own with plain Adam.

Both networks are EfficientNet-B0 with random weights, and see the same stored images for the same number of epochs.
Ours trains as the pipeline's Trainer does, by the recipe `official` or another; the peer is keras.applications' B0
compiled with Adam as it comes, on batches that are shuffled and not augmented. The last epoch's weights are judged on
the test images, which nothing was chosen by.

    python -m benchmarks.from_scratch FOLDER [--size 128] [--epochs 30] [--seed 42] [--only ours] [--recipe official]
        [--stem-stride 2] [--flip]

FOLDER holds train/ and test/, each with a folder of images a class. 720 images for 30 epochs of 128 px take each of the
two some ten minutes on two cores.
"""

import argparse
import logging
import os
import resource
import tempfile
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.input_pipeline import BATCH_SIZE, find_images, store
from components.common.events import send_to
from trainer.fit.process import call_in_fresh_process
from trainer.recipes import RECIPES
from trainer.settings import AugmentSettings, ModelSettings, TrainSettings


class Options(NamedTuple):
    """How ours trains."""

    recipe: str
    stem_stride: int
    flip: bool


RATES = {"dropout_rate": 0.2, "drop_connect_rate": 0.2}  # B0's own (arXiv 1905.11946, section 5.2)


def train_ours(folder: str, classes: list[str], size: int, epochs: int, seed: int, options: Options) -> list[float]:
    """The test accuracy after each epoch of our Trainer's training."""
    from trainer.fit.loop import Training
    from trainer.job import TrainingJob

    schema = Path(folder) / "schema.pbtxt"
    values = " ".join(f'value: "{name}"' for name in classes)
    schema.write_text(f'feature {{ name: "class_name" type: BYTES string_domain {{ {values} }} }}')
    job = TrainingJob(
        train_files=[f"{folder}/train.gz"],
        val_files=[f"{folder}/test.gz"],
        schema_path=str(schema),
        transform_graph_path="",
        config={
            "model": ModelSettings(image_size=size, stem_stride=options.stem_stride).model_dump(),
            "train": TrainSettings(
                recipe=options.recipe,
                epochs=epochs,
                batch_size=BATCH_SIZE,
                augment=AugmentSettings(horizontal_flip=True if options.flip else None),
            ).model_dump(),
            "image_size": size,
            "seed": seed,
        },
        log_dir=f"{folder}/logs",
    )
    training = Training(job, RATES)
    training.run()
    return [logs["val_accuracy"] for logs in training.progress.history]


def train_keras(folder: str, classes: list[str], size: int, epochs: int, seed: int, options: Options) -> list[float]:
    """The test accuracy after each epoch of keras.applications' network with Adam."""
    import keras

    from trainer.input_data import eval_batches, open_split, train_batches
    from trainer.recipes import Augment

    keras.utils.set_random_seed(seed)
    train, test = (open_split([f"{folder}/{name}.gz"], size, len(classes)) for name in ("train", "test"))
    network = keras.applications.EfficientNetB0(weights=None, input_shape=(size, size, 3), classes=len(classes))
    network.compile(keras.optimizers.Adam(), "categorical_crossentropy", metrics=["accuracy"])
    history = network.fit(
        train_batches(train, batch_size=BATCH_SIZE, epochs=epochs, seed=seed, augment=Augment()),
        validation_data=eval_batches(test, BATCH_SIZE),
        epochs=epochs,
        steps_per_epoch=train.num_examples // BATCH_SIZE,
        shuffle=False,
        verbose=2,
    )
    return history.history["val_accuracy"]


CONTENDERS = {"ours": train_ours, "keras": train_keras}


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.from_scratch", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="train/ and test/, with a folder of images a class")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--recipe", choices=[name for name in RECIPES if name != "finetune"], default="official")
    parser.add_argument("--stem-stride", type=int, choices=(1, 2), default=2)
    parser.add_argument("--flip", action="store_true", help="mirror training images under any recipe")
    parser.add_argument("--only", choices=sorted(CONTENDERS), help="one of the two")
    options = parser.parse_args()
    send_to(logging.StreamHandler())

    choice = Options(options.recipe, options.stem_stride, options.flip)
    classes = sorted(entry.name for entry in (options.folder / "train").iterdir() if entry.is_dir())
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("train", "test"):
            images = find_images(options.folder / name)
            store(images, options.size, Path(temporary) / f"{name}.gz")
            print(f"{name}: {len(images)} images in {len(classes)} classes")
        final = {}
        for name in [options.only] if options.only else CONTENDERS:
            arguments = (temporary, classes, options.size, options.epochs, options.seed)
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            accuracy = call_in_fresh_process(CONTENDERS[name], *arguments, choice)
            processor = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - sum(used[:2])
            final[name] = accuracy[-1]
            curve = " ".join(f"{value:.3f}" for value in accuracy)
            print(
                f"{name}: test accuracy {accuracy[-1]:.4f} after {options.epochs} epochs, seed {options.seed}, "
                f"{processor:.0f} s of processor time ({curve})"
            )
    if len(final) > 1:
        print(f"ratio={final['ours'] / final['keras']:.2f} ours/keras")


if __name__ == "__main__":
    main()
