"""The SavedModel that is evaluated, checked and served.

Two signatures share one trace of the network. `serving_default` takes encoded image bytes, `serving_examples` the
serialised tf.Examples of the ingest step; both run the Transform graph, so served pixels are training pixels.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.common import files
from components.common.model_info import EXPECTED_ANSWERS, write_model_info
from trainer.calibration import Calibration
from trainer.input_data import STORED_FEATURES, stored_examples
from trainer.preprocessing import central_image, decode_stored_image
from trainer.settings import TransformSettings

IMAGES = 8  # whose answers before the export go with it, so that a server can tell whether they are still the same


class ServingModule(tf.Module):
    """A trained network behind the Transform graph.

    A tf.Module with explicit signatures, because Keras 3's ExportArchive doubles the file and cannot hold the
    Transform layer.
    """

    def __init__(
        self,
        model: keras.Model,
        transform_output: tft.TFTransformOutput,
        class_names: Sequence[str],
        settings: TransformSettings,
        calibration: Calibration | None = None,
    ):
        super().__init__()
        temperature = calibration.temperature if calibration else None
        self.threshold = calibration.threshold if calibration else None

        def classify_pixels(pixels: tf.Tensor) -> tf.Tensor:
            logits = model(tf.cast(pixels, tf.float32), training=False)
            return tf.nn.softmax(logits if temperature is None else logits / temperature)

        # Behind a function, because Keras' 230 layers need not be walked through: only the variables are saved.
        # A traced one, because other formats are converted from it: they have no image decoder.
        self.classify_pixels = tf.function(
            classify_pixels,
            input_signature=[tf.TensorSpec([None, *model.input_shape[1:]], tf.uint8, name="pixels")],
            autograph=False,
        )
        self.model_variables = [variable.value for variable in model.variables]
        self.transform = transform_output.transform_features_layer()
        self.class_names = tf.constant(list(class_names))
        self.image_size = model.input_shape[1]
        self.side, self.image_format = self.image_size + settings.margin, settings.format
        self.raw_image_spec = {"image": transform_output.raw_feature_spec()["image"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")], autograph=False)
    def pixels(self, image: tf.Tensor) -> tf.Tensor:
        """What the network sees of encoded bytes of shape (batch,): uint8 (batch, size, size, 3)."""
        shape = [-1, *self.raw_image_spec["image"].shape]
        stored = self.transform({"image": tf.reshape(image, shape)})["image"]

        def load(image: tf.Tensor) -> tf.Tensor:
            return central_image(decode_stored_image(image, self.side, self.image_format), self.image_size)

        return tf.map_fn(load, stored, fn_output_signature=tf.uint8)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")], autograph=False)
    def classify(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded bytes of shape (batch,) to `probabilities` (batch, classes), `class_id` and `class_name` (batch,).

        With a calibration also to `known`, bool (batch,): whether the probability of the class reaches the threshold.
        """
        probabilities = self.classify_pixels(self.pixels(image))
        class_id = tf.argmax(probabilities, axis=-1)
        answer = {
            "probabilities": probabilities,
            "class_id": class_id,
            "class_name": tf.gather(self.class_names, class_id),
        }
        if self.threshold is not None:
            answer["known"] = tf.reduce_max(probabilities, axis=-1) >= self.threshold
        return answer

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def classify_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `classify`, from serialised tf.Examples of shape (batch,) that hold an `image` feature."""
        images = tf.io.parse_example(examples, self.raw_image_spec)["image"]
        return self.classify(tf.reshape(images, [-1]))


def export_model(
    model: keras.Model,
    transform_output: tft.TFTransformOutput,
    class_names: Sequence[str],
    settings: TransformSettings,
    directory: str,
    info: Mapping[str, object],
    images: Sequence[bytes],
    calibration: Calibration | None = None,
) -> None:
    """Writes the SavedModel to `directory`, with `info` and the class names as a JSON asset.

    `settings` tells how the Transform graph stores images, `calibration` how sure the model is to be. The network's
    answers to the encoded `images` before the export go with it.
    """
    module = ServingModule(model, transform_output, class_names, settings, calibration)
    answers = ask(module.classify, images)
    signatures = {"serving_default": module.classify, "serving_examples": module.classify_examples}
    # Serving needs no gradients; to trace those of the network's own kernels would take as long as all the rest.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, directory, signatures=signatures, options=options)
    write_expected_answers(directory, images, answers)
    write_model_info(directory, {"classes": list(class_names), **info})


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
    probabilities: list[list[float]] = classify(tf.constant(list(images)))["probabilities"].numpy().tolist()
    return probabilities


def write_expected_answers(model_dir: str | Path, images: Sequence[bytes], probabilities: list[list[float]]) -> None:
    """Adds images and answers to the SavedModel in `model_dir`."""
    content = {"images": [base64.b64encode(image).decode() for image in images], "probabilities": probabilities}
    files.write_text(files.join(str(model_dir), EXPECTED_ANSWERS), json.dumps(content))
