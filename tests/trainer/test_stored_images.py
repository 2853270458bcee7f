"""However images are stored, or not stored at all: training, evaluation and serving see the same pixels."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from trainer.input_data import ContentShare, eval_batches, open_split, train_batches
from trainer.settings import TransformSettings

pytestmark = pytest.mark.tfx

SIZE = 48
SCHEMA = """
feature { name: "image" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""


@pytest.fixture(scope="module")
def pictures(photos) -> list[bytes]:
    """Eight JPEG files of 120 x 90 pixels."""
    encoded = []
    for number in range(8):
        stream = io.BytesIO()
        tile = photos(160)[number % 2][number * 8 : number * 8 + 90, number * 4 : number * 4 + 120]
        Image.fromarray(tile.astype(np.uint8)).save(stream, "JPEG", quality=95)
        encoded.append(stream.getvalue())
    return encoded


def transform(folder, pictures: list[bytes], settings: TransformSettings):
    """Runs TensorFlow Transform; writes ingested and transformed examples, returns the graph."""
    import apache_beam as beam
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tensorflow_transform.tf_metadata import dataset_metadata

    from trainer.preprocessing import preprocessing_fn

    metadata = dataset_metadata.DatasetMetadata(text_format.Parse(SCHEMA, schema_pb2.Schema()))
    choices = {"image_size": SIZE, **settings.model_dump()}
    rows = [{"image": [image], "label": [number]} for number, image in enumerate(pictures)]
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        (data, described), transform_fn = (
            pipeline | beam.Create(rows),
            metadata,
        ) | tft_beam.AnalyzeAndTransformDataset(lambda inputs: preprocessing_fn(inputs, choices))
        transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
        metadata | tft_beam.WriteMetadata(str(folder / "graph" / "metadata"), pipeline=pipeline)
        for name, collection, schema in (
            ("ingested", pipeline | "Rows" >> beam.Create(rows), metadata.schema),
            ("stored", data, described.schema),
        ):
            coder = tft.coders.ExampleProtoCoder(schema)
            write = beam.io.WriteToTFRecord(str(folder / name), file_name_suffix=".gz")
            _ = collection | f"Encode {name}" >> beam.Map(coder.encode) | f"Write {name}" >> write
    return tft.TFTransformOutput(str(folder / "graph"))


@pytest.mark.parametrize(
    "settings",
    [
        TransformSettings(resize="crop", margin=32, format="jpeg"),
        TransformSettings(resize="squash", format="raw"),
    ],
    ids=["a margin", "raw"],
)
def test_every_way_gives_the_same_pixels(settings, pictures, tmp_path):
    from trainer.export import ServingModule

    graph = transform(tmp_path, pictures, settings)
    network = SimpleNamespace(variables=[], input_shape=(None, SIZE, SIZE, 3))
    serving = ServingModule(network, graph, ["a"], settings)
    served = serving.pixels(tf.constant(pictures)).numpy()
    assert served.shape == (8, SIZE, SIZE, 3)

    unstored = settings.model_copy(update={"materialize": False})
    for name, form in (("stored", settings), ("ingested", unstored)):
        split = open_split([str(tmp_path / f"{name}*.gz")], SIZE, 8, transform=form)
        assert split.side == SIZE + settings.margin
        for batches in (eval_batches(split, 8), train_batches(split, batch_size=8, epochs=1, seed=1)):
            ((images, labels),) = batches.as_numpy_iterator()
            np.testing.assert_array_equal(images[np.argsort(labels.argmax(1))], served)


def test_a_margin_without_a_crop_is_refused():
    with pytest.raises(ValueError, match="margin 8 needs resize: crop"):
        TransformSettings(resize="squash", margin=8)


def test_a_share_has_the_same_images_at_whatever_size_they_are_stored(pictures, tmp_path):
    """Networks of a study are trained on images of different sizes, and on the same share of them."""
    transform(tmp_path, pictures, TransformSettings(resize="squash"))
    splits = [
        open_split([str(tmp_path / f"{name}*.gz")], SIZE, len(pictures), ContentShare(0.0, 0.5, seed=1))
        for name in ("ingested", "stored")
    ]
    assert splits[0].class_counts == splits[1].class_counts  # each picture is a class of its own
    assert 0 < splits[0].num_examples < len(pictures)
