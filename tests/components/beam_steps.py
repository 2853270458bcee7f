"""All Beam steps of the pipeline, each through its executor: on any engine, and again into the same folders."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

from components.common import files
from components.common.ingest_report import read_quarantine, read_summary

SPLITS = ("train", "val", "eval")
# An engine in this process that writes two shards where the default one writes one.
TWO_SHARDS = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")


class BeamSteps:
    """Ingest, statistics, Transform and evaluation of a folder of images with two classes."""

    def __init__(self, images: str, model: Path, home: str | Path):
        """Wires the steps.

        Args:
          images: what data.path names.
          model: a model artifact, as `save_model` writes it.
          home: where the outputs go.
        """
        from tfx import v1 as tfx
        from tfx.types import Channel, standard_artifacts

        from components.curated_schema.component import CuratedSchema
        from components.gated_evaluator.component import GatedEvaluator
        from components.image_example_gen.component import ImageExampleGen
        from components.image_transform.component import ImageTransform
        from pipeline.config.model import EvaluateSettings
        from pipeline.steps.tfma_eval_config import make_eval_config, make_rules
        from tests.components.data_steps import SCHEMA
        from trainer.settings import TransformSettings

        candidate = standard_artifacts.Model()
        candidate.uri = str(model)
        self.home = str(home)
        self.artifacts: dict[tuple[str, str], list[Any]] = {("Candidate", "model"): [candidate]}
        found = Channel(standard_artifacts.Model, producer_component_id="Candidate", output_key="model")
        served = Channel(standard_artifacts.Model, producer_component_id="Served", output_key="model")
        ingest = ImageExampleGen(path=images, val_fraction=0.2, eval_fraction=0.3)
        schema = CuratedSchema(schema_path=str(SCHEMA), report=ingest.outputs["report"])
        examples = ingest.outputs["examples"]
        statistics = tfx.components.StatisticsGen(examples=examples, schema=schema.outputs["schema"])
        transform = ImageTransform(
            examples=examples,
            schema=schema.outputs["schema"],
            preprocessing_fn="trainer.preprocessing.preprocessing_fn",
            splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val"]),
            custom_config={"image_size": 32, **TransformSettings(resize="squash").model_dump()},
            materialize=True,
            disable_statistics=True,
        ).with_id("Transform")
        gate = EvaluateSettings(min_accuracy=0.1, max_accuracy_drop=0.5)
        evaluator = GatedEvaluator(
            examples=examples,
            model=found,
            baseline_model=served,
            eval_config=make_eval_config(gate),
            rules=make_rules(gate),
            schema=schema.outputs["schema"],
        )
        self.steps = {step.id: step for step in (ingest, schema, statistics, transform, evaluator)}

    def run_all(self, *options: str) -> dict[str, Any]:
        """Run every step with Beam's `options`; returns what `contents` says."""
        for name in self.steps:
            self.run(name, *options)
        return self.contents()

    def run(self, name: str, *options: str) -> None:
        """Run a step, or run it again into its folders."""
        from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor

        step = self.steps[name]
        inputs = {}
        for key, channel in step.inputs.items():
            if found := self.artifacts.get((channel.producer_component_id, channel.output_key)):
                inputs[key] = found
        outputs = {}
        for key, channel in step.outputs.items():
            artifact = channel.type()
            artifact.uri = files.join(self.home, name, key)
            if not files.is_remote(artifact.uri):
                Path(artifact.uri).mkdir(parents=True, exist_ok=True)
            outputs[key] = self.artifacts[name, key] = [artifact]
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=list(options), tmp_dir=files.join(self.home, name, "tmp"), unique_id="1"
        )
        step.executor_spec.executor_class(context).Do(inputs, outputs, dict(step.exec_properties))

    def uri(self, name: str, key: str) -> str:
        (artifact,) = self.artifacts[name, key]
        return artifact.uri

    def contents(self) -> dict[str, Any]:
        """What the steps made of the images, in a form that knows no order and no shards."""
        from components.gated_evaluator.results import CANDIDATE, read_confusions

        examples, evaluation = self.uri("ImageExampleGen", "examples"), self.uri("GatedEvaluator", "evaluation")
        report = self.uri("ImageExampleGen", "report")
        found: dict[str, Any] = {
            "summary": read_summary(report).written,
            "quarantine": read_quarantine(report),
            "verdict": json.loads(files.read_bytes(files.join(evaluation, "verdict.json"))),
            "confusions": sorted(read_confusions(evaluation, CANDIDATE)),
        }
        for split in SPLITS:
            found[f"examples {split}"] = digests(files.join(examples, f"Split-{split}"))
            found[f"statistics {split}"] = statistics_of(self.uri("StatisticsGen", "statistics"), split)
        transformed = self.uri("Transform", "transformed_examples")
        for split in ("train", "val"):
            found[f"transformed {split}"] = digests(files.join(transformed, f"Split-{split}"))
        return found


def digests(folder: str) -> list[str]:
    """A digest of each record in all files of a folder: what lies there is what later steps read."""
    import tensorflow as tf

    names = sorted(str(path) for path in Path(folder).iterdir())
    records = tf.data.TFRecordDataset(names, compression_type="GZIP")
    parsed = (tf.train.Example.FromString(record.numpy()) for record in records)
    return sorted(hashlib.sha256(example.SerializeToString(deterministic=True)).hexdigest() for example in parsed)


def statistics_of(uri: str, split: str) -> dict[str, Any]:
    """The numbers of each feature."""
    import tensorflow_data_validation as tfdv

    (dataset,) = tfdv.load_stats_binary(files.join(uri, f"Split-{split}", "FeatureStats.pb")).datasets
    found: dict[str, Any] = {"examples": dataset.num_examples}
    for feature in dataset.features:
        kind = feature.WhichOneof("stats")
        values = getattr(feature, kind)
        numbers = {name: getattr(values, name, None) for name in ("mean", "min", "max", "unique", "avg_length")}
        common = values.common_stats
        found[".".join(feature.path.step)] = (common.num_non_missing, common.tot_num_values, numbers)
    return found


def shards(uri: str) -> list[str]:
    """The names of all that lies in the splits of an artifact."""
    splits = sorted(path for path in Path(uri).iterdir() if path.name.startswith("Split-"))
    return list(itertools.chain(*(sorted(path.name for path in split.iterdir()) for split in splits)))
