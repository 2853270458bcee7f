"""Do the data steps stay flat in memory and linear in time as images grow, and how many images a second do they take?

Runs ingest (near copies included), StatisticsGen and Transform on 1,000, 4,000 and 16,000 photos, each number in a
process of its own. What an image costs in processor time between the second and the third number is held against what
it costs between the first and the second; the process's largest memory against that of the first.

    python -m benchmarks.ingest [FOLDER] [--images 1000 4000 16000] [--size 224] [--rates benchmarks/rates.json]

FOLDER holds JPEG files, at any depth, which are repeated. Without it, pieces are cut from the two photographs that
scikit-learn ships. --rates keeps what was measured, for `python -m benchmarks.capacity`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import astuple
from pathlib import Path
from typing import Any

from benchmarks.data_steps import ingest_steps, make_folder, run_steps, size_of
from benchmarks.input_pipeline import generate_photos

STEPS = ("ImageExampleGen", "StatisticsGen", "Transform")


def measure(photos: Path, images: int, size: int) -> dict[str, Any]:
    """Runs the steps in this process; returns seconds by step, bytes an image, and the largest memory in MB."""
    import tensorflow_data_validation as tfdv
    from tfx import v1 as tfx

    from components.image_transform.component import ImageTransform
    from trainer.settings import TransformSettings

    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        make_folder(photos, home / "images", images)
        ingest, schema = ingest_steps(home / "images")
        statistics = tfx.components.StatisticsGen(
            examples=ingest.outputs["examples"],
            schema=schema.outputs["schema"],
            stats_options=tfdv.StatsOptions(enable_semantic_domain_stats=True),
        )
        transform = ImageTransform(
            examples=ingest.outputs["examples"],
            schema=schema.outputs["schema"],
            preprocessing_fn="trainer.preprocessing.preprocessing_fn",
            custom_config={"image_size": size, **TransformSettings().model_dump()},
            splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val", "eval"]),
            disable_statistics=True,
        ).with_id("Transform")
        begun = time.process_time()
        seconds = run_steps([ingest, schema, statistics, transform], home)
        processor_seconds = time.process_time() - begun
        source = sum(path.stat().st_size for path in (home / "images").rglob("*.jpg"))
        return {
            "images": images,
            "seconds": {step: seconds[step] for step in STEPS},
            "processor_seconds": processor_seconds,
            "source_bytes": source / images,
            "ingested_bytes": size_of(home, "ImageExampleGen/examples") / images,
            "stored_bytes": size_of(home, "Transform/transformed_examples") / images,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def starting_bytes(images: int = 100_000) -> int:
    """What the process that starts an ingest holds of each image: in its listing, its plan and their order."""
    from components.image_example_gen.sources.folders import plan_ingest
    from components.image_example_gen.sources.listing import FileEntry, Listing
    from components.image_example_gen.sources.plan import mixed

    tracemalloc.start()
    names = (f"class{number % 1000:04d}/image_{number:09d}.jpg" for number in range(images))
    listing = Listing([FileEntry(name, 10**6 + number, 10**18 + number) for number, name in enumerate(names)])
    listing.folders.extend(f"class{number:04d}" for number in range(1000))
    _ = "".join(f"{json.dumps(astuple(image))}\n" for image in mixed(plan_ingest(listing).images, seed=1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(most / images)


def in_own_process(photos: Path, images: int, size: int) -> dict[str, Any]:
    """As `measure`, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.ingest", str(photos), "--only", str(images), "--size", str(size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rate(one: dict[str, Any], other: dict[str, Any], step: str) -> float:
    """Images a second, the start of the step left out."""
    return (other["images"] - one["images"]) / (other["seconds"][step] - one["seconds"][step])


def cost(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Processor seconds that an image more takes, in all steps."""
    return (other["processor_seconds"] - one["processor_seconds"]) / (other["images"] - one["images"])


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="JPEG files, at any depth (default: generated)")
    parser.add_argument("--images", type=int, nargs=3, default=[1000, 4000, 16000])
    parser.add_argument("--size", type=int, default=224, help="pixels a side for the network")
    parser.add_argument("--rates", type=Path, help="JSON file to keep the rates in")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.folder, options.only, options.size)))
        return

    with tempfile.TemporaryDirectory() as temporary:
        photos = options.folder or Path(temporary) / "photos"
        if options.folder is None:
            generate_photos(photos)
        runs = []
        for images in options.images:
            runs.append(run := in_own_process(photos, images, options.size))
            seconds = ", ".join(f"{step} {value:.1f} s" for step, value in run["seconds"].items())
            print(f"{images} images, {options.size} px: {seconds}; at most {run['memory_mb']:.0f} MB", flush=True)
    few, more, most = runs
    cores = len(os.sched_getaffinity(0))
    rates = {step: rate(few, most, step) for step in STEPS}
    print(f"{cores} CPU cores; images/s, the start of each step left out:")
    print(", ".join(f"{step} {images:.0f}" for step, images in rates.items()))
    if options.rates:
        kept = {name: round(most[name]) for name in ("source_bytes", "ingested_bytes", "stored_bytes")}
        content = {
            "size": options.size,
            **kept,
            "images_per_second": {step: round(value, 1) for step, value in rates.items()},
        }
        content |= {"starting_bytes": starting_bytes(), "cores": cores}
        options.rates.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"ratio={cost(few, more) / cost(more, most):.2f} few/many (processor time that an image costs; 1: linear)")
    print(f"ratio={few['memory_mb'] / most['memory_mb']:.2f} few/many (largest memory; 1: flat)")


if __name__ == "__main__":
    main()
