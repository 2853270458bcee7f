"""What 1 million, 100 million and 1 billion images take: bytes, worker hours and shards, from rates that were measured.

    python -m benchmarks.capacity [--images 1e6 1e8 1e9] [--rates benchmarks/rates.json] [--workers 100]

The rates are those that `python -m benchmarks.ingest --rates ...` kept, an image at a time on the cores of one machine;
a worker here is one core. What an engine adds (start, shuffle, waiting for the storage) is not in them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from components.image_transform.forecast import readable

RATES = Path(__file__).with_name("rates.json")
# Beam's sources and sinks, and training's readers, are at ease with shards of this size.
SHARD_BYTES = 200_000_000
SHOWN = {"ImageExampleGen": "ingest", "StatisticsGen": "statistics", "Transform": "Transform"}


def capacity(images: float, rates: dict[str, Any], workers: int) -> dict[str, str]:
    """Returns what `images` take, by what it is."""
    cores = rates["cores"]
    hours = {name: images / rate * cores / 3600 for name, rate in rates["images_per_second"].items()}
    total = sum(hours.values())
    return {
        "read twice by the ingest": readable(images * rates["source_bytes"]),
        "ingested examples": readable(images * rates["ingested_bytes"]),
        f"stored for {rates['size']} px": readable(images * rates["stored_bytes"]),
        **{f"worker hours, {SHOWN[name]}": f"{value:,.1f}" for name, value in hours.items()},
        f"hours with {workers} workers": f"{total / workers:,.1f}",
        "shards, ingested": f"{max(images * rates['ingested_bytes'] / SHARD_BYTES, 1):,.0f}",
        "shards, stored": f"{max(images * rates['stored_bytes'] / SHARD_BYTES, 1):,.0f}",
        "memory where the ingest starts": readable(images * rates["starting_bytes"]),
    }


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=float, nargs="+", default=[1e6, 1e8, 1e9])
    parser.add_argument("--rates", type=Path, default=RATES, help="JSON file of benchmarks.ingest")
    parser.add_argument("--workers", type=int, default=100, help="cores that work at once")
    options = parser.parse_args()
    rates = json.loads(options.rates.read_text(encoding="utf-8"))
    columns = [capacity(images, rates, options.workers) for images in options.images]
    table = Table("", *(f"{images:,.0f} images" for images in options.images))
    for row in columns[0]:
        table.add_row(row, *(column[row] for column in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
