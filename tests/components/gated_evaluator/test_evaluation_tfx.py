"""The gate before the push: against nothing, against a served model, and again without a change."""

import json
import shutil
from pathlib import Path

import pytest

from components.atomic_pusher.model_card import CARD_FILE
from components.atomic_pusher.store import rollback
from components.common.errors import GateError
from components.gated_evaluator.rules import Rules
from components.gated_evaluator.verdict import GateVerdict, read_verdict
from components.served_model.versions import ServedVersion, pushed_models, pushed_versions, write_served
from pipeline.config.gates import EvaluateSettings
from tests.tfx_pipeline import run_pipeline

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]

FLOOR = 0.5


def save_model(folder: Path, accuracy: float, blind_to: int = -1) -> Path:
    """Write a model artifact that knows the label, and tells it of about `accuracy` of the images not `blind_to`."""
    import tensorflow as tf

    class Oracle(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, examples):
            features = {"label": tf.io.FixedLenFeature([], tf.int64), "sha256": tf.io.FixedLenFeature([], tf.string)}
            parsed = tf.io.parse_example(examples, features)
            told = tf.strings.to_hash_bucket_fast(parsed["sha256"], 1000) < round(accuracy * 1000)
            told = tf.logical_and(told, parsed["label"] != blind_to)
            guess = tf.where(told, parsed["label"], 1 - parsed["label"])
            return {"probabilities": tf.one_hot(guess, 2)}

    module = Oracle()
    tf.saved_model.save(module, str(folder / "Format-Serving"), signatures={"serving_examples": module.serve})
    return folder


def settings(**changes) -> EvaluateSettings:
    return EvaluateSettings(**{"min_accuracy": FLOOR, "max_accuracy_drop": 0.01} | changes)


class Pipeline:
    """Ingest to push of a candidate that is there already."""

    def __init__(self, images: Path, home: Path):
        self.images, self.home = images, home

    def run(self, candidate: Path, push: str = "push", **changes) -> int:
        """Returns how many versions there are afterwards."""
        from tfx import v1 as tfx

        from components.atomic_pusher.component import AtomicPusher
        from components.gated_evaluator.component import GatedEvaluator
        from components.image_example_gen.component import ImageExampleGen
        from components.served_model.component import ServedModel
        from pipeline.steps.tfma_eval_config import make_eval_config, make_rules

        push_path = str(self.home / push)
        ingest = ImageExampleGen(path=str(self.images), val_fraction=0.2, eval_fraction=0.4)
        model = tfx.dsl.Importer(source_uri=str(candidate), artifact_type=tfx.types.standard_artifacts.Model)
        model = model.with_id("Candidate")
        served = ServedModel(push_path=push_path, candidate=model.outputs["result"])
        evaluator = GatedEvaluator(
            examples=ingest.outputs["examples"],
            model=model.outputs["result"],
            baseline_model=served.outputs["model"],
            eval_config=make_eval_config(settings(**changes)),
            rules=make_rules(settings(**changes)),
        )
        pusher = AtomicPusher(
            model=model.outputs["result"],
            model_blessing=evaluator.outputs["blessing"],
            push_path=push_path,
            keep=5,
        )
        run_pipeline(self.home, [ingest, model, served, evaluator, pusher])
        return len(pushed_versions(push_path))

    def last_verdict(self) -> GateVerdict:
        evaluations = self.home.glob("artifacts/GatedEvaluator/evaluation/*")
        return read_verdict(str(max(evaluations, key=lambda path: int(path.name))))

    def evaluations(self) -> int:
        return len(list(self.home.glob("artifacts/GatedEvaluator/evaluation/*")))


@pytest.fixture
def images(digits, make_tree) -> Path:
    """Noughts and ones."""
    return make_tree({f"{path.parent.name}/{path.name}": path.read_bytes() for path in digits.glob("[01]/*.png")})


def test_only_a_model_above_the_floor_and_not_below_the_served_one_is_pushed(images, tmp_path):
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


def test_after_a_rollback_the_older_model_is_the_baseline_and_the_newer_stays_away(images, tmp_path):
    pipeline = Pipeline(images, tmp_path / "pipeline")
    push_path = tmp_path / "pipeline" / "push"
    fair, good = (save_model(tmp_path / str(accuracy), accuracy) for accuracy in (0.7, 0.95))
    pipeline.run(fair)
    shutil.rmtree(push_path)
    assert pipeline.run(fair) == 1, "all is cached, but nothing is served"
    pipeline.run(good)
    served = pushed_models(str(push_path))[0]
    assert served.record.accuracy > 0.9
    assert f"| accuracy | {served.record.accuracy:.4f} |" in (push_path / served.version / CARD_FILE).read_text(
        encoding="utf-8"
    )
    back = rollback(str(push_path), None, keep=5)
    assert pipeline.run(good) == 3, "it was rolled back from"
    assert pushed_models(str(push_path))[0] == back


@pytest.mark.slow
def test_with_confidence_a_drop_within_the_noise_is_refused(images, tmp_path):
    pipeline = Pipeline(images, tmp_path / "pipeline")
    confident = {"compare": "confident", "max_accuracy_drop": 0.03}
    good, close = (save_model(tmp_path / str(accuracy), accuracy) for accuracy in (0.95, 0.93))
    assert pipeline.run(good, **confident) == 1
    assert pipeline.run(close, **confident) == 1
    assert "95 % confidence" in pipeline.last_verdict().problems[0]


def test_a_class_that_collapses_is_refused_by_its_floor_though_accuracy_rises(images, tmp_path):
    pipeline = Pipeline(images, tmp_path / "pipeline")
    fair, blind = save_model(tmp_path / "fair", 0.45), save_model(tmp_path / "blind", 0.99, blind_to=0)
    floors = {"min_accuracy": 0.3, "min_class_recall": 0.3, "min_auc": 0.4, "min_slice_accuracy": 0.3}
    assert pipeline.run(fair, **floors) == 1
    assert pipeline.run(blind, **floors) == 1
    verdict = pipeline.last_verdict()
    assert verdict.baseline_accuracy is not None and verdict.accuracy > verdict.baseline_accuracy
    (problem,) = verdict.problems
    assert "recall of class 0 is 0.0" in problem
    assert verdict.confused[0][:2] == ["0", "1"]
    low, high = verdict.accuracy_interval
    assert low < verdict.accuracy < high
    kinds = {kind.value: kind.examples for kind in verdict.slices if kind.feature == "size"}
    assert list(kinds) == ["32 to 63 px"] and kinds["32 to 63 px"] == verdict.metrics["example_count"]
    assert {kind.feature for kind in verdict.slices} == {"size", "brightness_level"}
    # Answers of 0 or 1 alone, in two classes: the area under the curve is the accuracy.
    assert verdict.metrics["auc"] == pytest.approx(verdict.accuracy, abs=0.01)
    matrix = (pipeline.home / "artifacts/GatedEvaluator/evaluation").glob("*/confusion.csv")
    assert all("0,1," in table.read_text() for table in matrix)


def test_other_classes_are_refused_or_left_to_the_floors_and_never_compared(tmp_path):
    from tfx.types import standard_artifacts

    from components.gated_evaluator.executor import find_baseline

    def artifact(name: str, *classes: str):
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / name)
        note = tmp_path / name / "Format-Serving" / "assets.extra" / "model.json"
        note.parent.mkdir(parents=True)
        note.write_text(json.dumps({"classes": classes}))
        write_served(model.uri, ServedVersion("17", "abc"))
        return [model]

    models = {"model": artifact("new", "daisy", "rose"), "baseline_model": artifact("old", "daisy", "tulip")}
    served, said = find_baseline(models, Rules())
    assert served == ""
    assert "version 17 (new: rose; gone: tulip)" in said.problems[0]
    served, said = find_baseline(models, Rules(refuse_other_classes=False))
    assert (served, said.problems) == ("", [])
    assert "the floors alone decided" in said.notes[0]


def test_a_config_that_cannot_refuse_a_first_model_is_refused(tmp_path):
    from tensorflow_model_analysis.proto import config_pb2
    from tfx.types import Channel, standard_artifacts

    from components.gated_evaluator.component import GatedEvaluator
    from pipeline.steps.tfma_eval_config import make_eval_config

    config = make_eval_config(settings())
    config.metrics_specs[0].metrics[0].per_slice_thresholds[0].threshold.ClearField("value_threshold")
    assert isinstance(config, config_pb2.EvalConfig)
    model = Channel(type=standard_artifacts.Model)
    with pytest.raises(GateError, match="no absolute threshold"):
        GatedEvaluator(Channel(type=standard_artifacts.Examples), model, model, config)
