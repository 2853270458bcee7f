"""How long does a search take on one traced network, against TFX's stock way of a new network for every trial?

All sides are `tuner_fn`s that TFX's own executor runs, each in a fresh process, on the quick start's images and with
its settings: the same images, schedule, space, seed, trials and epochs.

    ours     the project's tuner
    stock    what TFX's guide shows: Keras Tuner's RandomSearch with a function that builds and compiles a network for
             each trial, here Keras' own EfficientNet and AdamW; its rates are set before it is compiled. XLA, Keras'
             default also on a CPU, is off: with it this side takes 2 to 3 times as long
    afresh   the same with our network, optimiser and process settings, whose scores ours have to equal

    python -m benchmarks.tuner [--trials 8] [--epochs 1] [--sides ours stock afresh]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data.quickstart import DEFAULT_DESTINATION, build_quickstart
from pipeline.config.load import load_config
from pipeline.dag import image_size_of

SIDES = {
    "ours": "trainer.tuner.tuner_fn",
    "stock": "benchmarks.tuner.stock_tuner_fn",
    "afresh": "benchmarks.tuner.afresh_tuner_fn",
}
KERAS_DROP_CONNECT_RATE = 0.2  # of the last block of keras.applications' EfficientNets, which take no argument for it
HELD_OUT = 4  # one image in so many is not in the train split, as in the quick start


def stock_tuner_fn(fn_args):
    """Keras' own network and optimiser."""
    import keras

    from trainer.learning_rate import learning_rate_schedule
    from trainer.recipes import recipe_of

    def build(job, rates, batch_size, steps):
        build_network = getattr(keras.applications, f"EfficientNet{job.model_settings.variant.upper()}")
        shape = (job.image_size, job.image_size, 3)
        network = build_network(
            weights=None, input_shape=shape, classes=len(job.class_names), classifier_activation=None
        )
        for layer in network.layers:
            if layer.name.endswith("_drop"):
                layer.rate *= rates["drop_connect_rate"] / KERAS_DROP_CONNECT_RATE
        network.get_layer("top_dropout").rate = rates["dropout_rate"]
        recipe, epochs = recipe_of(job.settings), job.tune_settings.epochs
        rate = learning_rate_schedule(recipe, batch_size=batch_size, epochs=epochs, steps_per_epoch=steps)
        network.compile(
            keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm),
            keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
            metrics=["accuracy"],
            jit_compile=False,
        )
        return network

    return _random_search(fn_args, build)


def afresh_tuner_fn(fn_args):
    """Our network and optimiser, built and traced for every trial."""
    from trainer.efficientnet import build_efficientnet
    from trainer.fit.phases import Phase, compile_phase
    from trainer.learning_rate import batch_norm_momentum
    from trainer.recipes import recipe_of
    from trainer.runtime import prepare_cpu_process

    prepare_cpu_process()

    def build(job, rates, batch_size, steps):
        epochs = job.tune_settings.epochs
        network = build_efficientnet(
            job.model_settings.variant,
            len(job.class_names),
            image_size=job.image_size,
            batch_norm_momentum=batch_norm_momentum(steps * epochs),
            seed=job.seed,
            **rates,
        )
        whole = Phase(0, epochs)
        compile_phase(network, whole, recipe_of(job.settings), batch_size=batch_size, steps_per_epoch=steps, xla=False)
        return network

    return _random_search(fn_args, build)


def _random_search(fn_args, build):
    """Keras Tuner's RandomSearch over what `build` makes, on the images that our tuner takes."""
    import keras
    import keras_tuner
    from tfx.components.tuner.component import TunerFnResult

    from trainer.input_data import ContentShare, eval_batches, open_split, steps_per_epoch, train_batches
    from trainer.job import TrainingJob

    job = TrainingJob.from_fn_args(fn_args)
    keras.utils.set_random_seed(job.seed)
    settings, batch_size = job.tune_settings, job.settings.batch_size
    shares = [(settings.val_fraction, 1.0), (0.0, settings.val_fraction)]
    train, held_out = (
        open_split(job.train_files, job.image_size, len(job.class_names), ContentShare(*share, job.seed))
        for share in shares
    )
    steps = steps_per_epoch(train, batch_size, settings.data_fraction)

    def hypermodel(values: keras_tuner.HyperParameters):
        rates = {name: values.Float(name, *bounds) for name, bounds in settings.ranges.items()}
        return build(job, rates, batch_size, steps)

    tuner = keras_tuner.RandomSearch(
        hypermodel, "val_loss", settings.trials, seed=job.seed + 1, directory=fn_args.working_dir, project_name="stock"
    )
    batches = train_batches(
        train, batch_size=batch_size, epochs=settings.epochs, seed=job.seed, fraction=settings.data_fraction
    )
    fit = {"epochs": settings.epochs, "steps_per_epoch": steps, "shuffle": False, "verbose": 0}
    validation = eval_batches(held_out, batch_size)
    return TunerFnResult(tuner=tuner, fit_kwargs={"x": batches, "validation_data": validation, **fit})


def write_inputs(folder: Path, image_size: int) -> None:
    """Stores the quick-start images as Transform does, with their schema."""
    import tensorflow as tf
    from PIL import Image

    build_quickstart()
    classes = sorted(path.name for path in DEFAULT_DESTINATION.iterdir() if path.is_dir())
    values = " ".join(f'value: "{name}"' for name in classes)
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(
        f'feature {{ name: "class_name" type: BYTES string_domain {{ {values} }} }}', encoding="utf-8"
    )
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    (folder / "Split-train").mkdir()
    with tf.io.TFRecordWriter(str(folder / "Split-train" / "examples.gz"), options) as writer:
        for label, name in enumerate(classes):
            for path in _train_images(DEFAULT_DESTINATION / name):
                image = Image.open(path).convert("RGB").resize((image_size, image_size))
                pixels = tf.io.encode_png(image).numpy()
                features = {
                    "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels])),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _train_images(folder: Path) -> list[Path]:
    return [path for number, path in enumerate(sorted(folder.glob("*.png"))) if number % HELD_OUT]


def search(side: str, folder: Path, config: dict) -> None:
    """Runs TFX's executor with one side's `tuner_fn` and prints what it found and how long it took."""
    from tfx.components.tuner import executor
    from tfx.proto import trainer_pb2
    from tfx.types import standard_artifacts
    from tfx.utils import json_utils, proto_utils

    examples, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    examples.uri, schema.uri = str(folder), str(folder / "schema")
    examples.split_names = '["train"]'
    properties = {
        "tuner_fn": SIDES[side],
        "custom_config": json_utils.dumps(config),
        "train_args": proto_utils.proto_to_json(trainer_pb2.TrainArgs(splits=["train"])),
        "eval_args": proto_utils.proto_to_json(trainer_pb2.EvalArgs(splits=["train"])),
    }
    started = time.monotonic()
    tuner = executor.search({"examples": [examples], "schema": [schema]}, properties, str(folder / side), False)
    seconds = time.monotonic() - started
    scores = {_shown(trial.hyperparameters.values): trial.score for trial in tuner.oracle.trials.values()}
    print(json.dumps({"seconds": seconds, "scores": scores}))


def _shown(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.6f}" for name, value in sorted(values.items()))


def main() -> None:
    """Times both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=list(SIDES))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = load_config(overrides=[f"tune.trials={arguments.trials}", f"tune.epochs={arguments.epochs}"])
    size = image_size_of(settings)
    if arguments.side:
        sections = {"model": settings.model, "train": settings.train, "tune": settings.tune}
        config = {name: section.model_dump() for name, section in sections.items()}
        config |= {"image_size": size, "seed": settings.seed}
        search(arguments.side, arguments.folder, config)
        return

    seconds, scores = {}, {}
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name), size)
        for side in arguments.sides:
            command = [sys.executable, "-m", "benchmarks.tuner", "--side", side, "--folder", name, *sys.argv[1:]]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result = json.loads(done.stdout.splitlines()[-1])
            seconds[side], scores[side] = result["seconds"], result["scores"]
            print(
                f"{side:6} {len(scores[side])} trials in {seconds[side]:.0f} s, best {min(scores[side].values()):.4f}"
            )
    # Both draw the same values, ours after the default ones.
    for values in scores.get("ours", {}).keys() & scores.get("afresh", {}).keys():
        print(f"{values}: val_loss ours {scores['ours'][values]:.5f}, afresh {scores['afresh'][values]:.5f}")
    for side in arguments.sides[1:]:
        print(f"{arguments.sides[0]} takes {seconds[arguments.sides[0]] / seconds[side]:.2f} of the time of {side}")
        print(f"ratio={seconds[side] / seconds[arguments.sides[0]]:.2f} {arguments.sides[0]}/{side}")


if __name__ == "__main__":
    main()
