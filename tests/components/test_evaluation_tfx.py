"""The gate before the push: against nothing, against a served model, and again without a change."""

from pathlib import Path

import pytest

from components.errors import GateError
from components.served_model.versions import pushed_versions

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]

FLOOR = 0.5


def save_model(folder: Path, accuracy: float) -> Path:
    """Write a model artifact that knows the label, and tells it of about `accuracy` of the images."""
    import tensorflow as tf

    class Oracle(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, examples):
            features = {"label": tf.io.FixedLenFeature([], tf.int64), "sha256": tf.io.FixedLenFeature([], tf.string)}
            parsed = tf.io.parse_example(examples, features)
            told = tf.strings.to_hash_bucket_fast(parsed["sha256"], 1000) < round(accuracy * 1000)
            guess = tf.where(told, parsed["label"], 1 - parsed["label"])
            return {"probabilities": tf.one_hot(guess, 2)}

    module = Oracle()
    tf.saved_model.save(module, str(folder / "Format-Serving"), signatures={"serving_default": module.serve})
    return folder


def eval_config():
    import tensorflow_model_analysis as tfma

    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": FLOOR}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -0.01}
        ),
    )
    metric = tfma.MetricConfig(class_name="SparseCategoricalAccuracy", threshold=threshold)
    keys = {"signature_name": "serving_default", "model_type": "tf_generic"}
    keys |= {"label_key": "label", "prediction_key": "probabilities"}
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(name="candidate", **keys),
            tfma.ModelSpec(name="baseline", is_baseline=True, **keys),
        ],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[metric])],
    )


class Pipeline:
    """Ingest to push of a candidate that is there already."""

    def __init__(self, images: Path, home: Path):
        self.images, self.home = images, home

    def run(self, candidate: Path, push: str = "push") -> int:
        """Returns how many versions there are afterwards."""
        from tfx import v1 as tfx

        from components.gated_evaluator.component import GatedEvaluator
        from components.image_example_gen.component import ImageExampleGen
        from components.served_model.component import ServedModel

        push_path = str(self.home / push)
        ingest = ImageExampleGen(path=str(self.images), val_fraction=0.2, eval_fraction=0.4)
        model = tfx.dsl.Importer(source_uri=str(candidate), artifact_type=tfx.types.standard_artifacts.Model)
        model = model.with_id("Candidate")
        served = ServedModel(push_path=push_path, candidate=model.outputs["result"])
        evaluator = GatedEvaluator(
            examples=ingest.outputs["examples"],
            model=model.outputs["result"],
            baseline_model=served.outputs["model"],
            eval_config=eval_config(),
        )
        pusher = tfx.components.Pusher(
            model=model.outputs["result"],
            model_blessing=evaluator.outputs["blessing"],
            push_destination=tfx.proto.PushDestination(
                filesystem=tfx.proto.PushDestination.Filesystem(base_directory=push_path)
            ),
        )
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="gate",
            pipeline_root=str(self.home / "artifacts"),
            components=[ingest, model, served, evaluator, pusher],
            enable_cache=True,
            metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                str(self.home / "metadata.sqlite")
            ),
        )
        tfx.orchestration.LocalDagRunner().run(pipeline)
        return len(pushed_versions(push_path))

    def evaluations(self) -> int:
        return len(list(self.home.glob("artifacts/GatedEvaluator/evaluation/*")))


def test_only_a_model_above_the_floor_and_not_below_the_served_one_is_pushed(digits, make_tree, tmp_path):
    images = make_tree({f"{path.parent.name}/{path.name}": path.read_bytes() for path in digits.glob("[01]/*.png")})
    pipeline = Pipeline(images, tmp_path / "pipeline")
    bad, fair, good = (save_model(tmp_path / str(accuracy), accuracy) for accuracy in (0.2, 0.7, 0.95))

    assert pipeline.run(bad) == 0, "nothing is served, but the floor holds"
    assert pipeline.run(good) == 1, "nothing is served, and the floor alone decides"
    assert pipeline.run(good) == 1
    assert pipeline.evaluations() == 2, "a repeated run has the same baseline and hits the cache"
    assert pipeline.run(fair) == 1, "above the floor, but below what is served"
    (tmp_path / "pipeline/push/not-a-version").mkdir()
    assert pipeline.run(fair) == 1
    assert pipeline.evaluations() == 3


def test_a_config_that_cannot_refuse_a_first_model_is_refused(tmp_path):
    import tensorflow_model_analysis as tfma
    from tfx.types import Channel, standard_artifacts

    from components.gated_evaluator.component import GatedEvaluator

    config = eval_config()
    config.metrics_specs[0].metrics[0].threshold.ClearField("value_threshold")
    assert isinstance(config, tfma.EvalConfig)
    model = Channel(type=standard_artifacts.Model)
    with pytest.raises(GateError, match="no absolute threshold"):
        GatedEvaluator(Channel(type=standard_artifacts.Examples), model, model, config)
