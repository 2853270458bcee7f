"""The BackboneFeatures component's module: `features_fn` asks the frozen network about every image, once.

They depend on the weights, the images and their resolution alone. Whatever else is changed of a training, the head is
trained on what is there already.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.events import report_progress
from components.common.files import expand
from trainer.efficientnet import build_efficientnet
from trainer.feature_set import FeatureSet, write_features
from trainer.fit.process import call_in_fresh_process
from trainer.input_data import keyed_batches
from trainer.runtime import prepare_cpu_process
from trainer.settings import ModelSettings, TransformSettings
from trainer.weights import load_weights

BATCH = 32
POOLED = "avg_pool"
TRAIN = "train"  # the split whose mirror images are asked about too, where training images are mirrored

Asker: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
"""From images, uint8 (batch, size, size, 3), to features, float32 (batch, channels)."""


@dataclass(frozen=True)
class FeatureJob:
    """Plain values, since they cross a process boundary.

    Args:
      splits: split -> pattern of its gzipped TFRecords with transformed examples, and the folder for its features.
      config: sections `model` and `transform` of pipeline.yaml as dicts; `mirrored` says whether the training images'
        mirror images are asked about too.
    """

    splits: Mapping[str, tuple[str, str]]
    config: Mapping[str, object]


def features_fn(splits: Mapping[str, tuple[str, str]], config: Mapping[str, object]) -> dict[str, int]:
    """The component's entry point, which see; works in a process of its own. Returns images by split."""
    return call_in_fresh_process(compute, FeatureJob(dict(splits), dict(config)))


def compute(job: FeatureJob) -> dict[str, int]:
    """Computes and writes the features of all splits; returns how many images each has."""
    model = ModelSettings.model_validate(job.config["model"])
    transform = TransformSettings.model_validate(job.config["transform"])
    prepare_cpu_process()
    network = pooled_network(model)
    ask = asker(network)
    counts = {}
    for split, (pattern, folder) in job.splits.items():
        mirrored = bool(job.config.get("mirrored")) and split == TRAIN
        batches = keyed_batches([pattern], network.input_shape[1], transform, BATCH) if expand([pattern]) else []
        found = features_of(batches, split, ask, network.output_shape[-1], mirrored)
        write_features(folder, found)
        counts[split] = found.images
    return counts


def features_of(
    batches: Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]], split: str, ask: Asker, channels: int, mirrored: bool
) -> FeatureSet:
    """The features of images, and of their mirror images if `mirrored`.

    Args:
      batches: from `keyed_batches`; of an empty split none.
      split: its name.
      ask: from `asker`.
      channels: how many features an image has.
      mirrored: whether mirror images have rows too.
    """
    none: NDArray[np.float32] = np.zeros((0, channels), np.float32)
    views = [[none] for _ in range(1 + mirrored)]
    labels, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    seconds = 0.0
    for number, (images, batch_labels, batch_keys) in enumerate(batches):
        started = time.perf_counter()
        for view, features in enumerate(views):
            features.append(ask(images[:, :, ::-1] if view else images).numpy())
        if number:  # the first batch traces the network
            seconds += time.perf_counter() - started
        labels.append(batch_labels.numpy())
        keys.append(batch_keys.numpy())
        report_progress(f"features: {split}, {sum(map(len, labels))} images")
    timed = len(views) * sum(map(len, labels[2:]))
    return FeatureSet(
        np.concatenate([batch for view in views for batch in view]),
        np.concatenate(labels * len(views)),
        np.concatenate(keys * len(views)),
        seconds / timed if timed else math.nan,
        len(views),
    )


def pooled_network(settings: ModelSettings) -> keras.Model:
    """The network with the weights that it starts from, up to its last pooling: images to (batch, channels)."""
    variant = settings.chosen_variant
    network = build_efficientnet(variant, 1, image_size=variant.resolution, seed=0)
    load_weights(network, settings.weights, variant, settings.weights_sha256)
    return keras.Model(network.inputs, network.get_layer(POOLED).output)


def asker(network: keras.Model) -> Asker:
    """A traced function from uint8 images (batch, size, size, 3) to float32 features (batch, channels)."""
    shape = [None, *network.input_shape[1:]]
    traced: Asker = tf.function(
        lambda images: network(tf.cast(images, tf.float32), training=False),
        input_signature=[tf.TensorSpec(shape, tf.uint8)],
        autograph=False,
    )
    return traced
