"""How long does a search take on one traced network, against TFX's stock way of a new network for every trial?

Both sides are `tuner_fn`s that TFX's own executor runs, each in a fresh process, on the quick start's images and with
its settings: the same network, optimiser, images, space, seed and epochs. The stock side is what TFX's guide shows:
Keras Tuner's RandomSearch with a function that builds and compiles a network for each trial, in a process as TensorFlow
sets it up. `--lend` gives it the settings of trainer/runtime.py, which make ours trace faster.

    python -m benchmarks.tuner [--trials 8] [--epochs 1] [--lend]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data.quickstart import DEFAULT_DESTINATION, build_quickstart
from pipeline.config import load_config
from pipeline.dag import image_size_of

SIDES = {"ours": "trainer.tuner.tuner_fn", "stock": "benchmarks.tuner.stock_tuner_fn"}
HELD_OUT = 4  # one image in so many is not in the train split, as in the quick start


def stock_tuner_fn(fn_args):
    """As TFX's guide has it: a model-building function and a tuner from Keras Tuner's shelf."""
    import keras_tuner
    from tfx.components.tuner.component import TunerFnResult

    from trainer.efficientnet import build_efficientnet
    from trainer.input_data import ContentShare, eval_batches, open_split, steps_per_epoch, train_batches
    from trainer.job import TrainingJob
    from trainer.phases import Phase, compile_phase
    from trainer.recipe import batch_norm_momentum
    from trainer.runtime import prepare_cpu_process

    job = TrainingJob.from_fn_args(fn_args)
    settings, batch_size = job.tune_settings, job.settings.batch_size
    if job.config["lend"]:
        prepare_cpu_process()
    shares = [(settings.val_fraction, 1.0), (0.0, settings.val_fraction)]
    train, held_out = (
        open_split(job.train_files, job.image_size, len(job.class_names), ContentShare(*share, job.seed))
        for share in shares
    )
    steps = steps_per_epoch(train, batch_size, settings.data_fraction)

    def build(values: keras_tuner.HyperParameters):
        network = build_efficientnet(
            job.model_settings.variant,
            len(job.class_names),
            image_size=job.image_size,
            batch_norm_momentum=batch_norm_momentum(steps * settings.epochs),
            seed=job.seed,
            **{name: values.Float(name, *bounds) for name, bounds in settings.ranges.items()},
        )
        whole = Phase(0, settings.epochs, head_only=False)
        compile_phase(network, whole, job.recipe, batch_size=batch_size, steps_per_epoch=steps, xla=False)
        return network

    tuner = keras_tuner.RandomSearch(
        build, "val_loss", settings.trials, seed=job.seed + 1, directory=fn_args.working_dir, project_name="stock"
    )
    share = {"fraction": settings.data_fraction, "seed": job.seed}
    batches = train_batches(train, batch_size=batch_size, epochs=settings.epochs, **share)
    fit = {"epochs": settings.epochs, "steps_per_epoch": steps, "verbose": 0}
    return TunerFnResult(tuner=tuner, fit_kwargs={"x": batches, "validation_data": eval_batches(held_out, 32), **fit})


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
    best = tuner.oracle.get_best_trials(1)[0]
    print(json.dumps({"seconds": seconds, "trials": len(tuner.oracle.trials), "best": best.score}))


def main() -> None:
    """Times both sides in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--lend", action="store_true", help="the stock side gets our process settings")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = load_config(overrides=[f"tune.trials={arguments.trials}", f"tune.epochs={arguments.epochs}"])
    size = image_size_of(settings)
    if arguments.side:
        sections = {"model": settings.model, "train": settings.train, "tune": settings.tune}
        config = {name: section.model_dump() for name, section in sections.items()}
        config |= {"image_size": size, "seed": settings.seed, "lend": arguments.lend}
        search(arguments.side, arguments.folder, config)
        return

    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name), size)
        for side in SIDES:
            command = [sys.executable, "-m", "benchmarks.tuner", "--side", side, "--folder", name, *sys.argv[1:]]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result = json.loads(done.stdout.splitlines()[-1])
            seconds[side] = result["seconds"]
            print(f"{side:6} {result['trials']} trials in {result['seconds']:.0f} s, val_loss {result['best']:.4f}")
    print(f"ours takes {seconds['ours'] / seconds['stock']:.2f} of the stock side's time")
    print(f"ratio={seconds['stock'] / seconds['ours']:.2f} ours/stock")


if __name__ == "__main__":
    main()
