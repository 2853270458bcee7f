"""Small trainings on scikit-learn's scanned digits, with a network that is traced in a second.

As a program it runs one training, for tests that need a process to kill or devices of their own:

    python -m tests.trainer.digits FOLDER '{"epochs": 4}' [CPU devices]
"""

import io
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

from components.common.events import send_to
from trainer.fit.loop import Training
from trainer.job import TrainingJob
from trainer.layers import BatchNormalization, Normalization
from trainer.settings import ModelSettings, TrainSettings
from trainer.stochastic_depth import Dropout

SIDE = 32
CLASSES = ["null", "eins", "zwei"]
RATES = {"dropout_rate": 0.2, "drop_connect_rate": 0.1}


def write_records(path: Path, images: Sequence[np.ndarray], labels: Sequence[int]) -> str:
    """Stores images, uint8 (side, side, 3), as Transform does."""
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for image, label in zip(images, labels, strict=True):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG")
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[stream.getvalue()])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(path)


def scans() -> tuple[np.ndarray, np.ndarray]:
    """537 scans of the digits 0 to 2, uint8 (537, 32, 32, 3), and their labels."""
    digits = load_digits(n_class=len(CLASSES))
    levels = (digits.images * (255 / 16)).astype(np.uint8)
    return np.stack([levels.repeat(4, axis=1).repeat(4, axis=2)] * 3, axis=-1), digits.target


def make_job(folder: Path, *, keep: np.ndarray | None = None, weights: str = "none", **train) -> TrainingJob:
    """A job on 400 scans, or on those of them that `keep` marks, watched on 137 others."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = scans()
    kept = np.arange(400) if keep is None else np.arange(400)[keep]
    values = " ".join(f'value: "{name}"' for name in CLASSES)
    schema = f'feature {{ name: "class_name" type: BYTES string_domain {{ {values} }} }}'
    (folder / "schema.pbtxt").write_text(schema)
    return TrainingJob(
        train_files=[write_records(folder / "train.gz", images[kept], labels[kept])],
        val_files=[write_records(folder / "val.gz", images[400:], labels[400:])],
        schema_path=str(folder / "schema.pbtxt"),
        transform_graph_path="",
        config={
            "model": ModelSettings(image_size=SIDE, weights=weights).model_dump(),
            "train": TrainSettings(**{"epochs": 3, "batch_size": 20, **train}).model_dump(),
            "image_size": SIDE,
            "seed": 7,
            "checkpoint_root": str(folder / "checkpoints"),
        },
        log_dir=str(folder / "logs"),
    )


def build_tiny(
    variant,
    num_classes,
    *,
    image_size,
    batch_norm_momentum=0.9,
    seed=0,
    dropout_rate=0.2,
    drop_connect_rate=0.2,
) -> keras.Model:
    """Stands in for `build_efficientnet`: the same kinds of layers, few of them."""
    x = inputs = keras.Input((image_size, image_size, 3), name="image")
    x = Normalization(name="normalization")(x)
    for number, filters in enumerate((8, 16)):
        initializer = keras.initializers.HeNormal(seed=seed)
        x = keras.layers.Conv2D(filters, 3, 4, use_bias=False, kernel_initializer=initializer, name=f"conv{number}")(x)
        x = BatchNormalization(momentum=batch_norm_momentum, name=f"bn{number}")(x)
        x = keras.layers.Activation("swish", name=f"swish{number}")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = Dropout(dropout_rate or 0.2, seed=seed, name="top_dropout")(x)
    initializer = keras.initializers.GlorotUniform(seed=seed)
    x = keras.layers.Dense(num_classes, kernel_initializer=initializer, dtype="float32", name="predictions")(x)
    return keras.Model(inputs, x, name="tiny")


def train_tiny(job: TrainingJob) -> tuple[Training, keras.Model]:
    """Runs a job with the tiny network."""
    with mock.patch("trainer.fit.context.build_efficientnet", build_tiny):
        training = Training(job, RATES)
        return training, training.run()


def main() -> None:
    """Runs the training that the command line describes and saves its weights in the folder."""
    folder, settings, *devices = sys.argv[1:]
    send_to(logging.StreamHandler(sys.stdout))
    names = []
    if devices:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices[0]))
        names = [f"CPU:{number}" for number in range(int(devices[0]))]
    with mock.patch("trainer.fit.context.accelerators", lambda: names):
        training, model = train_tiny(make_job(Path(folder), **json.loads(settings)))
    # What the export takes: one network on one device.
    from trainer.train import single_float32

    with mock.patch("trainer.train.build_efficientnet", build_tiny):
        single = single_float32(model, training.job)
    np.savez(Path(folder) / "trained.npz", *single.get_weights())
    print(json.dumps({**training.result, "replicas": model.distribute_strategy.num_replicas_in_sync}))


if __name__ == "__main__":
    main()
