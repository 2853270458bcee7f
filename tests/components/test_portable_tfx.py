"""Every data step runs on Beam's portable runner, the way in which Flink and Spark execute pipelines.

A job service in this process gets the pipeline as a portable graph, and workers of their own run it.
"""

import itertools
import json

import pytest

from pipeline.config.beam import complete
from tests.components.data_steps import data_steps
from tests.tfx_pipeline import run_pipeline

pytestmark = [pytest.mark.tfx, pytest.mark.slow]


def test_all_data_steps_pass_on_the_portable_runner(digits, make_tree, tmp_path):
    import tensorflow as tf
    from tfx import v1 as tfx

    from components.image_transform.component import ImageTransform
    from trainer.settings import TransformSettings

    scans = sorted(digits.glob("[01]/*.png"))
    tree = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in scans}
    images = make_tree(tree | {"0/torn.png": b"\x89PNG\r\n\x1a\n", "1/copy.png": scans[-1].read_bytes()})
    steps = data_steps(images)
    ingest, schema, *_, gate = steps
    transform = ImageTransform(
        examples=ingest.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val"]),
        custom_config={"image_size": 32, **TransformSettings(resize="squash").model_dump()},
        disable_statistics=True,
    ).with_id("Transform")
    transform.add_upstream_node(gate)
    portable = complete(["--runner=PortableRunner", "--job_endpoint=embed"])
    run_pipeline(tmp_path, [*steps, transform], beam_pipeline_args=portable)

    (verdict,) = tmp_path.glob("artifacts/DataGate/verdict/*/verdict.json")
    counts = json.loads(verdict.read_text())["images"]
    assert sum(counts.values()) == len(scans) + 1
    for split in ("train", "val"):
        shards = [str(path) for path in tmp_path.glob(f"artifacts/Transform/transformed_examples/*/Split-{split}/*.gz")]
        stored = tf.data.TFRecordDataset(shards, compression_type="GZIP")
        assert sum(1 for _ in itertools.chain(stored)) == counts[split]
