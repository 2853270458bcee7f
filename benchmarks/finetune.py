"""From few photos with pretrained weights: our fine-tuning, a logistic regression, and Keras' usual two phases.

All three start from the same network and weights, and see the same stored photos.

ours      trainer.features, then the Trainer's training of recipe `finetune` on them; --epochs 0: the classifier alone
logistic  scikit-learn's logistic regression (C = 1) on the same features
keras     as keras.io's example of fine-tuning EfficientNet: the classifier alone on augmented photos (Adam, .01, 25
          epochs), then the last 20 layers but for batch norm (Adam, .00001, 4 epochs)

    python -m benchmarks.finetune FOLDER --weights WEIGHTS [--variant lite0] [--seeds 0 1 2] [--epochs 0] [--minutes M]
        [--per-class 5 10 20] [--only ours logistic] [--keras-epochs 25 4]

FOLDER holds train/ and test/, each with a folder of photos a class; the test photos decide nothing. With --epochs of 1
or more every tenth training photo is kept out to watch. Seconds are wall and processor time of the process that trains,
from the stored photos to the trained network: on a shared machine the second ones count.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.input_pipeline import find_images, store
from trainer.fit.process import call_in_fresh_process
from trainer.settings import ModelSettings, TrainSettings, TransformSettings

BATCH = 32
WATCHED = 10  # every tenth training photo
KERAS_RATES, KERAS_LAYERS = (1e-2, 1e-5), 20


class Task(NamedTuple):
    """What is trained on what; `folder` holds train.gz, watched.gz and test.gz."""

    folder: str
    classes: list[str]
    model: dict[str, object]
    size: int
    seed: int
    epochs: int
    minutes: float | None = None
    keras_epochs: tuple[int, int] = (25, 4)


class Score(NamedTuple):
    """Test accuracy, and seconds of wall and of processor time."""

    accuracy: float
    wall: float
    processor: float


def test_accuracy(model, task: Task) -> float:
    """The share of test photos that a network, from images to logits, has right."""
    from trainer.input_data import eval_batches, open_split

    split = open_split([f"{task.folder}/test.gz"], task.size, len(task.classes))
    right = sum(
        int(np.sum(np.argmax(model(images, training=False), 1) == np.argmax(labels, 1)))
        for images, labels in eval_batches(split, BATCH)
    )
    return right / split.num_examples


def compute_features(task: Task, mirrored: bool = False) -> str:
    """Computes the features of all three files, mirror images of the training photos on request; returns the folder."""
    from trainer.features import FeatureJob, compute

    places = {"train": "train.gz", "val": "watched.gz", "test": "test.gz"}
    root = f"{task.folder}/features"
    splits = {split: (f"{task.folder}/{name}", f"{root}/Split-{split}") for split, name in places.items()}
    config = {"model": task.model, "transform": TransformSettings().model_dump(), "mirrored": mirrored}
    compute(FeatureJob(splits, config))
    return root


def fine_tune(task: Task):
    """Features and training, as the pipeline's steps do it; returns the network."""
    from trainer.fit.loop import Training
    from trainer.job import TrainingJob
    from trainer.recipes import choose_rates

    schema = Path(task.folder) / "schema.pbtxt"
    values = " ".join(f'value: "{name}"' for name in task.classes)
    schema.write_text(f'feature {{ name: "class_name" type: BYTES string_domain {{ {values} }} }}')
    settings = TrainSettings(recipe="finetune", epochs=task.epochs, minutes=task.minutes, batch_size=BATCH)
    job = TrainingJob(
        train_files=[f"{task.folder}/train.gz"],
        val_files=[f"{task.folder}/watched.gz"],
        schema_path=str(schema),
        transform_graph_path="",
        config={
            "model": task.model,
            "train": settings.model_dump(),
            "image_size": task.size,
            "seed": task.seed,
            "features": compute_features(task, mirrored=True),
        },
        log_dir=f"{task.folder}/logs",
    )
    return Training(job, choose_rates(job.model_settings, job.settings, None)).run()


def run_ours(task: Task) -> Score:
    """Features and training."""
    started, used = time.perf_counter(), time.process_time()
    model = fine_tune(task)
    wall, processor = time.perf_counter() - started, time.process_time() - used
    return Score(test_accuracy(model, task), wall, processor)


def run_logistic(task: Task) -> Score:
    """A logistic regression on the features; the seed changes nothing."""
    from sklearn.linear_model import LogisticRegression

    from trainer.feature_set import read_features

    started, used = time.perf_counter(), time.process_time()
    root = compute_features(task)
    train, test = (read_features(f"{root}/Split-{name}", len(task.classes)) for name in ("train", "test"))
    regression = LogisticRegression(max_iter=2000).fit(train.features, train.labels)
    wall, processor = time.perf_counter() - started, time.process_time() - used
    return Score(float(regression.score(test.features, test.labels)), wall, processor)


def run_keras(task: Task) -> Score:
    """Two phases on augmented photos."""
    import keras

    from trainer.efficientnet import build_efficientnet
    from trainer.input_data import open_split, train_batches
    from trainer.recipes import SHORT_AUGMENT
    from trainer.weights import load_weights

    keras.utils.set_random_seed(task.seed)
    split = open_split([f"{task.folder}/train.gz"], task.size, len(task.classes))
    started, used = time.perf_counter(), time.process_time()
    variant = ModelSettings.model_validate(task.model).chosen_variant
    model = build_efficientnet(variant, len(task.classes), image_size=task.size, seed=task.seed)
    load_weights(model, str(task.model["weights"]), variant)
    for phase, (epochs, rate) in enumerate(zip(task.keras_epochs, KERAS_RATES, strict=True)):
        for number, layer in enumerate(reversed(model.layers)):
            frozen = number >= KERAS_LAYERS or isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = layer.name == "predictions" or (phase > 0 and not frozen)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
        batches = train_batches(split, batch_size=BATCH, epochs=epochs, seed=task.seed, augment=SHORT_AUGMENT)
        model.fit(batches, epochs=epochs, steps_per_epoch=split.num_examples // BATCH, shuffle=False, verbose=0)
    wall, processor = time.perf_counter() - started, time.process_time() - used
    return Score(test_accuracy(model, task), wall, processor)


CONTENDERS = {"ours": run_ours, "logistic": run_logistic, "keras": run_keras}


def some_of(images: list[tuple[str, int]], per_class: int | None, seed: int) -> list[tuple[str, int]]:
    """So many photos of each class, drawn with a seed; all without a number."""
    order = np.random.default_rng(seed).permutation(len(images)) if per_class else range(len(images))
    seen: Counter[int] = Counter()
    chosen = []
    for index in order:
        label = images[index][1]
        seen[label] += 1
        if per_class is None or seen[label] <= per_class:
            chosen.append(images[index])
    return chosen


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--variant", default="lite0")
    parser.add_argument("--size", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--per-class", type=int, nargs="+", default=[None])
    parser.add_argument("--only", choices=sorted(CONTENDERS), nargs="+", default=list(CONTENDERS))
    parser.add_argument("--keras-epochs", type=int, nargs=2, default=(25, 4))
    options = parser.parse_args()

    settings = ModelSettings(variant=options.variant, image_size=options.size, weights=options.weights)
    size = settings.chosen_variant.resolution
    images = find_images(options.folder / "train")
    classes = sorted(entry.name for entry in (options.folder / "train").iterdir() if entry.is_dir())
    scores: dict[str, list[Score]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store(find_images(options.folder / "test"), size, Path(folder) / "test.gz")
        for per_class in options.per_class:
            for seed in options.seeds:
                chosen = some_of(images, per_class, seed)
                watched = chosen[::WATCHED]
                train = [image for image in chosen if image not in watched] if options.epochs else chosen
                store(train, size, Path(folder) / "train.gz")
                store(watched, size, Path(folder) / "watched.gz")
                task = Task(
                    folder,
                    classes,
                    settings.model_dump(),
                    size,
                    seed,
                    options.epochs,
                    options.minutes,
                    tuple(options.keras_epochs),
                )
                for name in options.only:
                    score = call_in_fresh_process(CONTENDERS[name], task)
                    scores.setdefault(name, []).append(score)
                    print(
                        f"{name}: {len(chosen)} photos, seed {seed}: test accuracy {score.accuracy:.4f} in "
                        f"{score.wall:.0f} s, {score.processor:.0f} s of processor time; load {os.getloadavg()[0]:.0f}",
                        flush=True,
                    )
            means = {name: np.mean(found, axis=0) for name, found in scores.items()}
            for name, (accuracy, wall, processor) in means.items():
                print(
                    f"{name}: {per_class or 'all'} photos a class, mean {accuracy:.4f}, {wall:.0f} s, {processor:.0f} s"
                )
            for name in scores.keys() - {"ours"} if "ours" in scores else ():
                print(f"ratio={means['ours'][0] / means[name][0]:.3f} ours/{name} accuracy")
                print(f"ratio={means[name][2] / means['ours'][2]:.1f} ours/{name} processor time, inverted")
            scores.clear()


if __name__ == "__main__":
    main()
