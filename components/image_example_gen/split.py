"""Which split an image belongs to: decided by its bytes alone."""

import hashlib
from dataclasses import dataclass

SPLITS = ("train", "val", "eval")


@dataclass(frozen=True)
class SplitRule:
    """Shares of the images, cut by a hash of their bytes and the seed.

    The split of an image does not depend on its name, on the order of the files or on which others there are: it stays
    when images are added, and copies of one image never lie in two splits. The shares are those of the hash, so that a
    small data set misses them by a little.

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

    def split_of(self, content_sha256: str) -> str:
        """Returns "train", "val" or "eval" for an image whose bytes have this sha256 (64 hex digits)."""
        digest = hashlib.sha256(f"{self.seed}:{content_sha256}".encode()).digest()
        position = int.from_bytes(digest[:8], "big") / 2**64
        if position < self.eval_fraction:
            return "eval"
        if position < self.eval_fraction + self.val_fraction:
            return "val"
        return "train"

    def without(self, given: frozenset[str]) -> "SplitRule":
        """Returns the rule that cuts no image for the splits in `given`, because they have their own."""
        return SplitRule(
            val_fraction=0 if "val" in given else self.val_fraction,
            eval_fraction=0 if "eval" in given else self.eval_fraction,
            seed=self.seed,
        )
