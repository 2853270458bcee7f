"""Which split an image belongs to: decided by its content, or by its group, alone."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

SPLITS = ("train", "val", "eval")
# What a class keeps of each split for `drafts`: (position, unit) of its first units.
Firsts = Mapping[str, list[tuple[float, str]]]
_KEPT = 3  # one to train on, one for each other split


@dataclass(frozen=True)
class SplitRule:
    """Shares of the images, cut by a hash of the seed and of what must stay together.

    What must stay together is called a unit: an image with its copies, or a group. The split of a unit does not depend
    on paths, on the order of the files or on which others there are: it stays when images are added, except where a
    new image is a near copy of old ones and becomes the one that names their unit. The shares are those of the hash, so
    that a small data set misses them by a little.

    Attributes:
        val_fraction: share of the images for validation, 0 to 1.
        eval_fraction: share of the images for evaluation, 0 to 1; with val_fraction less than 1.
        seed: another seed, another cut.

    Raises:
        ValueError: if the fractions leave nothing to train on.
    """

    val_fraction: float
    eval_fraction: float
    seed: int

    def __post_init__(self) -> None:
        if self.val_fraction < 0 or self.eval_fraction < 0 or self.val_fraction + self.eval_fraction >= 1:
            raise ValueError(
                f"got val_fraction {self.val_fraction} and eval_fraction {self.eval_fraction}, "
                "expected 0 or more each and less than 1 together: correct data.split"
            )

    def position(self, unit: str) -> float:
        """Returns where a unit stands between 0 and 1: a number of the seed and of its name, and of nothing else."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}:{unit}".encode()).digest()[:8], "big") / 2**64

    def split_of(self, unit: str) -> str:
        """Returns "train", "val" or "eval" for a unit, named by the sha256 of an image's bytes or by a group."""
        position = self.position(unit)
        if position < self.eval_fraction:
            return "eval"
        if position < self.eval_fraction + self.val_fraction:
            return "val"
        return "train"

    def drafts(self, firsts: Firsts) -> Iterator[tuple[str, str]]:
        """Yields (unit, split) for each split that the cut has left a class without, if the class has units to spare.

        A rare class would otherwise often be missing from a split. It is the class's first training unit that moves, so
        that later images can send it back, but never bring another one out of training.

        Args:
            firsts: split -> the first units of one class in it.
        """
        spare = list(firsts.get("train", []))
        for split, fraction in (("eval", self.eval_fraction), ("val", self.val_fraction)):
            if fraction and not firsts.get(split) and len(spare) > 1:
                yield spare.pop(0)[1], split

    def without(self, given: frozenset[str]) -> "SplitRule":
        """Returns the rule that cuts no image for the splits in `given`, because they have their own."""
        return SplitRule(
            val_fraction=0 if "val" in given else self.val_fraction,
            eval_fraction=0 if "eval" in given else self.eval_fraction,
            seed=self.seed,
        )


def merge_firsts(several: Iterable[Firsts]) -> dict[str, list[tuple[float, str]]]:
    """Returns the first units of a class in each split, from those of its parts."""
    merged: dict[str, list[tuple[float, str]]] = {}
    for firsts in several:
        for split, units in firsts.items():
            merged[split] = sorted({*merged.get(split, []), *units})[:_KEPT]
    return merged
