"""A model that sees odd photos otherwise than the ingest is found out, in the process that asks it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from components.serving_check.photos import photo_pairs
from components.serving_check.probe import probe
from components.serving_check.verdict import LARGEST_PHOTO_DIFFERENCE

pytestmark = pytest.mark.tfx

KINDS = ("turned", "CMYK", "16-bit", "GIF")


def differences(decode: Callable, home: Path) -> dict[str, float | str]:
    """What the probe says of a model that reads photos with `decode`, by the kind of the photo."""
    import tensorflow as tf

    strings = [tf.TensorSpec([None], tf.string, name="image")]

    class Model(tf.Module):
        @tf.function(input_signature=strings, autograph=False)
        def pixels(self, image):
            def load(data):
                return tf.cast(tf.image.resize(decode(data), [32, 32], antialias=True), tf.uint8)

            return tf.map_fn(load, image, fn_output_signature=tf.uint8)

        @tf.function(input_signature=strings, autograph=False)
        def classify(self, image):
            ones = tf.ones([tf.size(image)])
            answer = {"probabilities": ones[:, None], "class_id": tf.cast(ones - 1, tf.int64)}
            return {**answer, "class_name": tf.strings.as_string(ones)}

    model = Model()
    tf.saved_model.save(model, str(home / "model"), signatures={"serving_default": model.classify})
    pairs = photo_pairs()
    seen = probe(str(home / "model"), [pairs[0].sent], pairs=[(pair.sent, pair.ingested) for pair in pairs])
    kinds = {name: next(index for index, pair in enumerate(pairs) if name in pair.kind) for name in KINDS}
    return {name: seen["pairs"][index] for name, index in kinds.items()}


def test_the_projects_own_decoding_sees_what_the_ingest_sees(tmp_path):
    from trainer.decoding import decode_photo

    assert max(differences(decode_photo, tmp_path).values()) < LARGEST_PHOTO_DIFFERENCE / 2


def test_a_model_that_does_not_turn_photos_differs_by_far(tmp_path):
    import tensorflow as tf

    found = differences(lambda data: tf.io.decode_image(data, channels=3, expand_animations=False), tmp_path)
    assert found["turned"] > 10 * LARGEST_PHOTO_DIFFERENCE
    assert max(found[name] for name in ("CMYK", "16-bit", "GIF")) < LARGEST_PHOTO_DIFFERENCE


def test_a_model_that_does_not_read_a_format_says_so(tmp_path):
    import tensorflow as tf

    # decode_and_crop_jpeg is one of the few that read nothing but JPEG.
    def only_jpeg(data):
        return tf.io.decode_and_crop_jpeg(data, [0, 0, 200, 200], channels=3)

    found = differences(only_jpeg, tmp_path)
    assert isinstance(found["GIF"], str) and isinstance(found["16-bit"], str)
