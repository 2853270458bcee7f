"""Do tuned rates make a better network than no regularisation, and than the published rates?

The tuner searches dropout and drop-connect once, on the training images alone. Then the Trainer's training runs with
each of three pairs of rates, several seeds each, on the same images for the same epochs, and the last epoch's weights
are judged on the test images, which nothing was chosen by.

    python -m benchmarks.tuned_rates FOLDER [--size 64] [--epochs 10] [--trials 8] [--trial-epochs 8] [--seeds 0 1 2]

FOLDER holds train/ and test/, each with a folder of images a class. With `--work DIR` what is finished is kept there,
and a run that was stopped goes on. 720 images at 64 px take some 20 minutes on two cores.
"""

import argparse
import json
import logging
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.input_pipeline import BATCH_SIZE, find_images, store
from components.common.events import send_to
from trainer.fit.loop import Training
from trainer.fit.process import call_in_fresh_process
from trainer.job import TrainingJob
from trainer.recipes import published_rates
from trainer.settings import ModelSettings, TrainSettings, TuneSettings
from trainer.tuner import SearchElsewhere

SEARCH_SEED = 42
NO_RATES = {"dropout_rate": 0.0, "drop_connect_rate": 0.0}


def make_job(work: Path, classes: list[str], options: argparse.Namespace, seed: int) -> TrainingJob:
    """What the pipeline would hand to Tuner and Trainer."""
    values = " ".join(f'value: "{name}"' for name in classes)
    schema = work / "schema.pbtxt"
    schema.write_text(f'feature {{ name: "class_name" type: BYTES string_domain {{ {values} }} }}', encoding="utf-8")
    train = TrainSettings(recipe=options.recipe, epochs=options.epochs, batch_size=BATCH_SIZE)
    tune = TuneSettings(algorithm=options.algorithm, trials=options.trials, epochs=options.trial_epochs)
    return TrainingJob(
        train_files=[str(work / "train.gz")],
        val_files=[str(work / "test.gz")],
        schema_path=str(schema),
        transform_graph_path="",
        config={
            "model": ModelSettings(image_size=options.size).model_dump(),
            "train": train.model_dump(),
            "tune": tune.model_dump(),
            "image_size": options.size,
            "seed": seed,
        },
        log_dir=str(work / "logs"),
    )


def train(job: TrainingJob, rates: dict[str, float]) -> dict[str, float]:
    """The test images' loss and accuracy after the last epoch."""
    training = Training(job, rates)
    training.run()
    return {name: training.result[f"val_{name}"] for name in ("loss", "accuracy")}


def tuned_rates(job: TrainingJob, work: Path) -> dict[str, float]:
    """Searches, and says what was found."""
    tuner = SearchElsewhere(job, str(work / "search"))
    tuner.search()
    for record in tuner.ranking():
        shown = ", ".join(f"{name} {value:.3f}" for name, value in record.values.items())
        print(f"trial {int(record.trial) + 1}: {shown}: val_loss {record.score:.4f}", flush=True)
    return tuner.ranking()[0].values


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuned_rates", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="train/ and test/, with a folder of images a class")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--recipe", default="quick", help="of trials and trainings")
    parser.add_argument("--epochs", type=int, default=10, help="of the trainings")
    parser.add_argument("--algorithm", default="random", help="of the search")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--trial-epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings")
    parser.add_argument("--work", type=Path, help="a folder that keeps what is finished")
    options = parser.parse_args()
    send_to(logging.StreamHandler())
    if options.work is None:
        with tempfile.TemporaryDirectory() as temporary:
            compare(options, Path(temporary))
    else:
        compare(options, options.work.resolve())


def compare(options: argparse.Namespace, work: Path) -> None:
    """Searches, trains and prints the table."""
    work.mkdir(parents=True, exist_ok=True)
    classes = sorted(entry.name for entry in (options.folder / "train").iterdir() if entry.is_dir())
    for name in ("train", "test"):
        if not (work / f"{name}.gz").exists():
            store(find_images(options.folder / name), options.size, work / "unfinished.gz")
            (work / "unfinished.gz").rename(work / f"{name}.gz")
    candidates = {
        "tuned": tuned_rates(make_job(work, classes, options, SEARCH_SEED), work),
        "none": NO_RATES,
        "published": published_rates("b0"),
    }
    results_file = work / "results.json"
    results = json.loads(results_file.read_text(encoding="utf-8")) if results_file.exists() else {}
    for seed in options.seeds:
        job = make_job(work, classes, options, seed)
        for name, rates in candidates.items():
            key = json.dumps([job.key(), rates])
            if key not in results:
                results[key] = call_in_fresh_process(train, job, rates)
                results_file.write_text(json.dumps(results, indent=1), encoding="utf-8")
            print(f"seed {seed}, {name}: {results[key]}", flush=True)

    mean = {}
    print(f"{'rates':10} {'dropout':>8} {'connect':>8} {'loss':>7}  test accuracy, mean of {len(options.seeds)} seeds")
    for name, rates in candidates.items():
        keys = [json.dumps([make_job(work, classes, options, seed).key(), rates]) for seed in options.seeds]
        accuracies = [results[key]["accuracy"] for key in keys]
        mean[name] = statistics.mean(accuracies)
        loss = statistics.mean(results[key]["loss"] for key in keys)
        each = " ".join(f"{accuracy:.4f}" for accuracy in accuracies)
        columns = f"{rates['dropout_rate']:8.3f} {rates['drop_connect_rate']:8.3f} {loss:7.4f}"
        print(f"{name:10} {columns}  {mean[name]:.4f} ({each})")
    print(f"ratio={mean['tuned'] / mean['none']:.3f} tuned/none")
    print(f"ratio={mean['tuned'] / mean['published']:.3f} tuned/published")


if __name__ == "__main__":
    main()
