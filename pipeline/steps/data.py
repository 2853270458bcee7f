"""The wiring of the first steps of every pipeline here: images are read, checked, and resized for training.

Like dag.py, this loads TFX when it is called, not when it is imported.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from pipeline.config.model import PipelineConfig

if TYPE_CHECKING:
    from tfx.components import ExampleValidator, StatisticsGen
    from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
    from tfx.types import BaseChannel
    from tfx.types.standard_artifacts import Examples, Schema, TransformGraph

    from components.curated_schema.component import CuratedSchema
    from components.data_gate.component import DataGate
    from components.image_example_gen.component import ImageExampleGen
    from components.image_transform.component import ImageTransform

SCHEMA_PATH = Path(__file__).resolve().parents[2] / "data" / "schema.pbtxt"


class DataSteps(NamedTuple):
    """The steps before Transform, in their order."""

    examples: "ImageExampleGen"
    schema: "CuratedSchema"
    statistics: "StatisticsGen"
    validator: "ExampleValidator"
    gate: "DataGate"


class TrainingInputs(TypedDict):
    """The data for Tuner and Trainer, by the names of their arguments."""

    examples: "BaseChannel[Examples]"
    transform_graph: "BaseChannel[TransformGraph]"
    schema: "BaseChannel[Schema]"
    train_args: "TrainArgs"
    eval_args: "EvalArgs"


def data_steps(config: PipelineConfig) -> DataSteps:
    """Wires the steps that read the images and refuse bad ones."""
    import tensorflow_data_validation as tfdv
    from tfx import v1 as tfx

    from components.curated_schema.component import CuratedSchema
    from components.data_gate.component import DataGate
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.sources.spans import SpanRule

    examples = ImageExampleGen(
        path=config.data.path,
        classes=list(config.data.classes),
        val_fraction=config.data.split.val,
        eval_fraction=config.data.split.eval,
        seed=config.seed,
        max_pixels=config.data.max_pixels,
        near_duplicates=config.data.near_duplicates,
        features=config.data.features.model_dump(),
        spans=SpanRule(**config.data.span.model_dump()),
        reading=config.data.reading,
    )
    schema = CuratedSchema(schema_path=str(SCHEMA_PATH), report=examples.outputs["report"])
    statistics = tfx.components.StatisticsGen(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        # Off by default, and then the schema's image domain is silently not checked.
        stats_options=tfdv.StatsOptions(enable_semantic_domain_stats=True),
    )
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    gate = DataGate(
        anomalies=validator.outputs["anomalies"],
        report=examples.outputs["report"],
        statistics=statistics.outputs["statistics"],
        max_bad_fraction=config.data.max_bad_fraction,
        min_images_per_class=config.data.min_images_per_class,
        max_class_imbalance=config.data.max_class_imbalance,
        drift=config.data.drift.model_dump() if config.data.drift else None,
        push_path=config.push_path,
        refuse_other_classes=config.evaluate.other_classes == "refuse",
    )
    return DataSteps(examples, schema, statistics, validator, gate)


def transform_step(config: PipelineConfig, data: DataSteps, side: int) -> "ImageTransform":
    """Wires Transform, which resizes the images that pass the gate to `side` pixels."""
    from tfx import v1 as tfx

    from components.image_transform.component import ImageTransform

    transform: ImageTransform = ImageTransform(
        examples=data.examples.outputs["examples"],
        schema=data.schema.outputs["schema"],
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val"]),
        custom_config={"image_size": side, **config.transform.model_dump()},
        materialize=config.transform.materialize,
        disable_statistics=True,
    ).with_id("Transform")
    transform.add_upstream_node(data.gate)  # nothing is trained on data that the gate refuses
    return transform


def training_inputs(config: PipelineConfig, data: DataSteps, transform: "ImageTransform") -> TrainingInputs:
    """What Tuner and Trainer are given of the data: they train on the train split and watch the val split."""
    from tfx import v1 as tfx

    materialized = config.transform.materialize
    return {
        "examples": transform.outputs["transformed_examples"] if materialized else data.examples.outputs["examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "schema": data.schema.outputs["schema"],
        "train_args": tfx.proto.TrainArgs(splits=["train"]),
        "eval_args": tfx.proto.EvalArgs(splits=["val"]),
    }
