"""What do seconds and memory of the process that starts an ingest come to for a label file of a million lines?

    python -m benchmarks.manifest [--images 1000000]

The folder's files are made up, but the label file is a real one on the disk. What follows the listing is measured as
well: the plan, its order, and the list that is handed to the engine.
"""

import argparse
import json
import resource
import tempfile
import time
from dataclasses import astuple
from pathlib import Path

from components.image_example_gen.sources.listing import FileEntry, Listing
from components.image_example_gen.sources.plan import mixed
from components.image_example_gen.sources.reading import Folder, plan_folder
from components.image_example_gen.sources.settings import LEFT_OPEN


def memory() -> float:
    """The largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.manifest", description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as root:
        names = [f"images/{number // 1000:04d}/photo_{number:09d}.jpg" for number in range(images)]
        with Path(root, "labels.csv").open("w", encoding="utf-8") as table:
            table.write("path,label\n")
            table.writelines(f"{name},class{number % 1000:04d}\n" for number, name in enumerate(names))
        before = memory()
        listing = Listing([FileEntry(name, 10**5 + number, 10**18 + number) for number, name in enumerate(names)])
        size = Path(root, "labels.csv").stat().st_size
        listing.files.append(FileEntry("labels.csv", size, 10**18))
        listing.files.sort()
        listed = memory()
        started = time.process_time()
        plan = plan_folder(Folder(root, listing, "labels.csv", False), LEFT_OPEN)
        planned = time.process_time() - started
        print(f"{images:,} lines, {size / 1e6:.0f} MB: plan in {planned:.1f} s of CPU, {memory() - listed:.0f} MB more")
        started = time.process_time()
        lines = [f"{json.dumps(astuple(image))}\n" for image in mixed(plan.images, seed=1)]
        print(f"order and list of {len(lines):,} in {time.process_time() - started:.1f} s of CPU")
    print(f"largest memory {memory():.0f} MB, of which {before:.0f} MB before the listing")
    print(f"{(memory() - before) * 1e6 / images:.0f} bytes an image")


if __name__ == "__main__":
    main()
