"""How far a converted model answers as the model does that it was converted from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Agreement:
    """Two models on the same images.

    Attributes:
        images: how many.
        same_class: on how many both find the same class most probable.
        right: how many the converted model recognised.
        model_right: how many the model itself recognised.
        difference: largest difference of a probability.
    """

    images: int = 0
    same_class: int = 0
    right: int = 0
    model_right: int = 0
    difference: float = 0.0

    @property
    def accuracy(self) -> float:
        """Of the converted model, 0 to 1."""
        return self.right / self.images

    @property
    def model_accuracy(self) -> float:
        """Of the model itself, 0 to 1."""
        return self.model_right / self.images

    def add(self, converted: NDArray[np.float32], model: NDArray[np.float32], labels: NDArray[np.int64]) -> "Agreement":
        """Returns the agreement on these images too.

        Args:
            converted: probabilities (images, classes) of the converted model.
            model: the model's own, of the same shape.
            labels: (images,).
        """
        found, wanted = converted.argmax(axis=1), model.argmax(axis=1)
        # A maximum over what is not a number is none: then it must not look like agreement.
        difference = np.abs(converted - model).max(initial=self.difference)
        return Agreement(
            images=self.images + len(labels),
            same_class=self.same_class + int((found == wanted).sum()),
            right=self.right + int((found == labels).sum()),
            model_right=self.model_right + int((wanted == labels).sum()),
            difference=float(difference),
        )

    def find_problem(self, max_accuracy_drop: float) -> str:
        """Says why the converted model is not good enough; "" if it is."""
        if not self.images:
            return "there were no eval images to compare it on"
        if not np.isfinite(self.difference):
            return "it returned NaN or infinity"
        drop = self.model_accuracy - self.accuracy
        if drop > max_accuracy_drop:
            return f"it loses {drop:.4f} of accuracy, more than export.max_accuracy_drop {max_accuracy_drop:g}"
        return ""
