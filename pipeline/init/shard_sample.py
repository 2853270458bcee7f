"""A bounded sample of a folder of shards: the classes, and some images of each part."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from components.common.sampling import spread
from components.image_example_gen.sources.listing import Rejected
from components.image_example_gen.sources.plan import IngestPlan
from components.image_example_gen.sources.shard_reading import read_shard
from components.image_example_gen.sources.shards import Found
from components.image_example_gen.sources.source import Source

MOST_SHARDS = 12  # that are read; of more a sample, spread over the folder
MOST_FOUND = 1000  # images of each
MOST_UNPACKED = 256 << 20  # bytes to unpack of a shard that is compressed as a whole


@dataclass(frozen=True)
class ShardSample:
    """The part of the shards that was read.

    Attributes:
      plan: of the images found.
      read: number of shards that were read.
      of: number of all shards.
      factor: estimate of all images over those found; 1 if everything was read.
    """

    plan: IngestPlan
    read: int
    of: int
    factor: float


def sample_shards(
    source: Source, unpacked: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> ShardSample:
    """Reads some of the shards, and some images of each.

    Args:
      source: of the shards.
      unpacked: temporary folder for unpacked shards.
      progress: called with (done, total) as shards are read.

    Raises:
      DataError: there are fewer than two classes of images in what was read.
    """
    chosen = spread(source.shards, MOST_SHARDS)
    found: list[Found | Rejected] = []
    sizes = {part.prefix + entry.path: entry.size for part in source.parts for entry in part.listing.files}
    whole, seen = len(chosen) == len(source.shards), 0
    for number, shard in enumerate(chosen):
        items = read_shard(source.root, shard, source.settings.columns, unpacked, MOST_UNPACKED)
        some = list(itertools.islice(items, MOST_FOUND + 1))
        cut = len(some) > MOST_FOUND
        whole = whole and not cut
        seen += sum(item.size for item in some if isinstance(item, Found)) if cut else sizes[shard]
        found += some[:MOST_FOUND]
        progress(number + 1, len(chosen))
    plan = source.plan((), found)
    there = sum(sizes[shard] for shard in source.shards)
    return ShardSample(plan, len(chosen), len(source.shards), 1.0 if whole else max(there / max(seen, 1), 1.0))
