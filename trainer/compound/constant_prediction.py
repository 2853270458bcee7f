"""Loss of the best constant prediction. Pure Python."""

import math
from collections.abc import Sequence


def constant_loss(class_counts: Sequence[int], label_smoothing: float) -> float:
    """The least cross-entropy, in nats, of one and the same answer to every image.

    Args:
      class_counts: images by label, of which there is one at least.
      label_smoothing: of the loss, as in training: 0 to 1.
    """
    images, classes = sum(class_counts), len(class_counts)
    shares = [(1 - label_smoothing) * count / images + label_smoothing / classes for count in class_counts]
    return -sum(share * math.log(share) for share in shares if share)
