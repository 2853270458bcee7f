"""The network's answers before it is exported, so that whoever serves it can tell whether they are still the same."""

import base64
import json
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import tensorflow as tf

from trainer.input_data import STORED_FEATURES, stored_examples

# TensorFlow Serving leaves assets.extra alone.
EXPECTED_ANSWERS = "assets.extra/expected_answers.json"
IMAGES = 8


def sample_images(file_patterns: Sequence[str], encoded: bool = True) -> list[bytes]:
    """The first images of a split, as good to serve as any other: as they are stored, else (not `encoded`) PNG."""
    spec = {"image": STORED_FEATURES["image"]}
    records = islice(stored_examples(file_patterns), IMAGES)
    images = [tf.io.parse_single_example(record, spec)["image"] for record in records]
    if not encoded:
        images = [tf.io.encode_png(tf.io.parse_tensor(image, tf.uint8)) for image in images]
    return [image.numpy() for image in images]


def ask(classify: Callable[[tf.Tensor], dict[str, tf.Tensor]], images: Sequence[bytes]) -> list[list[float]]:
    """The probabilities of encoded images, (images, classes), in full precision on every device."""
    tf.config.experimental.enable_tensor_float_32_execution(False)  # it would cost three digits on a GPU
    return classify(tf.constant(list(images)))["probabilities"].numpy().tolist()


def write_expected_answers(model_dir: str | Path, images: Sequence[bytes], probabilities: list[list[float]]) -> None:
    """Adds images and answers to the SavedModel in `model_dir`."""
    content = {"images": [base64.b64encode(image).decode() for image in images], "probabilities": probabilities}
    path = Path(model_dir) / EXPECTED_ANSWERS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
