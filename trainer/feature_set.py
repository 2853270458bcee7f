"""What a frozen network says of the images of a split: their features, as one file beside them."""

import io
import math
import zipfile
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common import files
from trainer.input_data import ContentShare

FILE = "features.npz"


class NotFeatures(ValueError):
    """A file that holds no features, or those of other images."""


@dataclass(frozen=True)
class FeatureSet:
    """Features by image, in the order of the split's files; their mirror images' come after all of them.

    Args:
      features: float32 (rows, channels), what the network's last pooling puts out.
      labels: int64 (rows,).
      keys: int64 (rows,), by which `ContentShare` cuts the split, whatever size the images are stored at.
      seconds_per_image: that the network took; not a number where there was too little to time.
      views: rows of an image: 2 where its mirror image has one, too.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    keys: NDArray[np.int64]
    seconds_per_image: float = math.nan
    views: int = 1

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> int:
        """How many images there are, whatever their views."""
        return len(self) // self.views

    def share(self, share: ContentShare) -> "FeatureSet":
        """Those images of it that are in a share."""
        held = np.asarray(share.holds_keys(tf.constant(self.keys)))
        return replace(self, features=self.features[held], labels=self.labels[held], keys=self.keys[held])


def write_features(folder: str, found: FeatureSet) -> None:
    """Writes a split's features; half precision, which tells them apart to one in two thousand."""
    content = io.BytesIO()
    np.savez(
        content,
        features=found.features.astype(np.float16),
        labels=found.labels,
        keys=found.keys,
        seconds_per_image=np.array(found.seconds_per_image),
        views=np.array(found.views),
    )
    files.write_bytes(files.join(folder, FILE), content.getvalue())


def read_features(folder: str, num_classes: int) -> FeatureSet:
    """Reads what `write_features` wrote.

    Raises:
      NotFeatures: the file is damaged, or has other labels than those of `num_classes`.
    """
    path = files.join(folder, FILE)
    try:
        with np.load(io.BytesIO(files.read_bytes(path)), allow_pickle=False) as content:
            features = content["features"].astype(np.float32)
            seconds, views = float(content["seconds_per_image"]), int(content["views"])
            found = FeatureSet(features, content["labels"], content["keys"], seconds, views)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise NotFeatures(f"{path} holds no features ({error}); run the step that writes them again") from error
    if not len(found.features) == len(found.labels) == len(found.keys):
        raise NotFeatures(f"{path} has {len(found.features)} features and {len(found.labels)} labels")
    if len(found) and not 0 <= found.labels.min() <= found.labels.max() < num_classes:
        raise NotFeatures(f"{path} has labels up to {found.labels.max()}, expected those of {num_classes} classes")
    return found
