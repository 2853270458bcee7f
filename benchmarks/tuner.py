"""How long does a search take on one traced network, against TFX's stock way of a new network for every trial?

Both sides are `tuner_fn`s that TFX's own executor runs, each in a fresh process, on the quick-start images: the same
network, step, data, space, seed and epochs. The stock side is Keras Tuner's RandomSearch with a function that builds
and compiles a network for each trial.

    python -m benchmarks.tuner [--trials 8] [--epochs 1] [--image-size 64]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data.quickstart import DEFAULT_DESTINATION, build_quickstart
from trainer.settings import ModelSettings, TrainSettings, TuneSettings

SEED = 42
SIDES = {"ours": "trainer.tuner.tuner_fn", "stock": "benchmarks.tuner.stock_tuner_fn"}


def stock_tuner_fn(fn_args):
    """As TFX's guide has it: a model-building function and a tuner from Keras Tuner's shelf."""
    import keras_tuner
    from tfx.components.tuner.component import TunerFnResult

    from trainer.input_data import eval_batches, steps_per_epoch, train_batches
    from trainer.job import TrainingJob
    from trainer.phases import Phase
    from trainer.setup import Setup

    job = TrainingJob.from_fn_args(fn_args)
    settings = TuneSettings.model_validate(job.config["tune"])
    setup = Setup(job, holdout=settings.val_fraction)
    batch_size = setup.batch_size()
    steps = steps_per_epoch(setup.train_split, batch_size)

    def build(values: keras_tuner.HyperParameters):
        rates = {name: values.Float(name, *bounds) for name, bounds in settings.ranges.items()}
        network = setup.build(steps * settings.epochs, **rates)
        setup.compile(network, Phase(0, settings.epochs, head_only=False), batch_size)
        return network

    tuner = keras_tuner.RandomSearch(
        build, "val_loss", settings.trials, seed=job.seed + 1, directory=fn_args.working_dir, project_name="stock"
    )
    batches = train_batches(setup.train_split, batch_size=batch_size, epochs=settings.epochs, seed=job.seed)
    fit = {"epochs": settings.epochs, "steps_per_epoch": steps, "verbose": 0}
    validation = eval_batches(setup.val_split, batch_size)
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
            for path in sorted((DEFAULT_DESTINATION / name).glob("*.png")):
                image = Image.open(path).convert("RGB").resize((image_size, image_size))
                pixels = tf.io.encode_png(image).numpy()
                features = {
                    "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels])),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


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
    best = tuner.oracle.get_best_trials(1)[0]
    print(json.dumps({"seconds": seconds, "trials": len(tuner.oracle.trials), "best": best.score}))


def main() -> None:
    """Times both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        config = {
            "model": ModelSettings(image_size=arguments.image_size).model_dump(),
            "train": TrainSettings().model_dump(),
            "tune": TuneSettings(trials=arguments.trials, epochs=arguments.epochs, stop_hopeless=False).model_dump(),
            "image_size": arguments.image_size,
            "seed": SEED,
        }
        search(arguments.side, arguments.folder, config)
        return

    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name), arguments.image_size)
        for side in SIDES:
            command = [sys.executable, "-m", "benchmarks.tuner", "--side", side, "--folder", name, *sys.argv[1:]]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result = json.loads(done.stdout.splitlines()[-1])
            seconds[side] = result["seconds"]
            print(f"{side:6} {result['trials']} trials in {result['seconds']:.0f} s, val_loss {result['best']:.4f}")
    print(f"ratio={seconds['stock'] / seconds['ours']:.2f} ours/stock")


if __name__ == "__main__":
    main()
