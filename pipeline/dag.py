"""The pipeline's wiring: configuration in, TFX pipeline out.

    images -> ImageExampleGen -> StatisticsGen -> ExampleValidator -> DataGate -> Transform -> Tuner -> Trainer
           -> Evaluator, against what is served now -> ServingCheck -> Pusher -> DataProfile, for the next run's gate
           -> RunReport

Importing this module does not load TFX; calling `create_pipeline` does (10 s or more).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from components.source_hash import source_hash
from pipeline.beam_options import check_ready, complete
from pipeline.config import PipelineConfig
from trainer.settings import NO_FILE

if TYPE_CHECKING:
    from tfx import v1 as tfx

PROJECT = Path(__file__).resolve().parent.parent
SCHEMA_PATH = PROJECT / "data" / "schema.pbtxt"


def image_size_of(config: PipelineConfig) -> int:
    """Pixels a side that the network sees."""
    return config.model.chosen_variant.resolution


def create_pipeline(config: PipelineConfig) -> "tfx.dsl.Pipeline":
    """Wires every component.

    Outputs lie under `config.run_root`: `artifacts/`, and `metadata.sqlite` for MLMD.
    """
    import tensorflow_data_validation as tfdv
    from tfx import v1 as tfx

    from components.atomic_pusher.component import AtomicPusher
    from components.curated_schema.component import CuratedSchema
    from components.data_gate.component import DataGate
    from components.data_profile.component import DataProfile
    from components.gated_evaluator.component import GatedEvaluator
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.spans import SpanRule
    from components.image_transform.component import ImageTransform
    from components.model_exporter.component import ModelExporter
    from components.run_report.component import RunReport
    from components.served_model.component import ServedModel
    from components.served_model.versions import fingerprint
    from components.serving_check.component import ServingCheck
    from components.tuner.component import Tuner
    from pipeline.eval_config import make_budgets, make_eval_config, make_rules
    from pipeline.infra_validation import make_infra_validator
    from pipeline.report_settings import make_report_settings

    check_ready(config.runners.beam)
    size = image_size_of(config)
    # TFX's cache key knows a dotted function by its name only; the hash makes an edit of the code miss the cache.
    preprocessing_source = source_hash(PROJECT / "trainer" / "preprocessing.py")
    trainer_source = source_hash(PROJECT / "trainer")
    train_on_train = tfx.proto.TrainArgs(splits=["train"])
    watch_val = tfx.proto.EvalArgs(splits=["val"])

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
    data_gate = DataGate(
        anomalies=validator.outputs["anomalies"],
        report=examples.outputs["report"],
        statistics=statistics.outputs["statistics"],
        max_bad_fraction=config.data.max_bad_fraction,
        min_images_per_class=config.data.min_images_per_class,
        max_class_imbalance=config.data.max_class_imbalance,
        drift=config.data.drift.model_dump() if config.data.drift else None,
        push_path=config.push_path,
    )
    transform = ImageTransform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "val"]),
        custom_config={"image_size": size, "source": preprocessing_source, **config.transform.model_dump()},
        materialize=config.transform.materialize,
        disable_statistics=True,
    ).with_id("Transform")
    materialized = config.transform.materialize
    transform.add_upstream_node(data_gate)  # nothing is trained on data that the gate refuses

    training = {
        "examples": transform.outputs["transformed_examples"] if materialized else examples.outputs["examples"],
        "transform_graph": transform.outputs["transform_graph"],
        "schema": schema.outputs["schema"],
        "train_args": train_on_train,
        "eval_args": watch_val,
    }
    choices = {
        "model": config.model.model_dump(),
        "train": config.train.model_dump(),
        "transform": config.transform.model_dump(),
        "image_size": size,
        "seed": config.seed,
        "source": trainer_source,
    }
    if (weights := config.model.weights) not in NO_FILE:
        choices["weights_source"] = fingerprint(weights) if Path(weights).is_dir() else source_hash(weights)
    told = {"transform": config.transform.model_dump()}  # of the model, to whoever serves it
    # Beside the metadata store, whose cached results are as bound to the place as this value, which is in their key.
    resumable = {**choices, **told, "checkpoint_root": str(config.run_root / "checkpoints")}
    tuning = []
    if config.tune.enabled:
        tuning_root = {"checkpoint_root": str(config.run_root / "tuning")}
        tuner = Tuner(
            tuner_fn="trainer.tuner.tuner_fn",
            report=examples.outputs["report"],
            custom_config={**choices, **tuning_root, "tune": config.tune.model_dump()},
            **training,
        )
        training["hyperparameters"] = tuner.outputs["best_hyperparameters"]
        tuning.append(tuner)
    trainer = tfx.components.Trainer(run_fn="trainer.train.run_fn", custom_config=resumable, **training)
    served_model = ServedModel(push_path=config.push_path, candidate=trainer.outputs["model"])
    evaluator = GatedEvaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=served_model.outputs["model"],
        schema=schema.outputs["schema"],
        example_splits=["eval"],
        eval_config=make_eval_config(config.evaluate),
        rules=make_rules(config.evaluate),
    )
    validating = []
    if config.serving.infra_validator != "none":
        validating.append(make_infra_validator(config.serving, trainer.outputs["model"], examples.outputs["examples"]))
    serving_check = ServingCheck(
        model=trainer.outputs["model"],
        examples=examples.outputs["examples"],
        budgets=make_budgets(config.serving),
        requests=config.serving.requests,
        infra_blessing=validating[0].outputs["blessing"] if validating else None,
    )
    pusher = AtomicPusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        push_path=config.push_path,
        keep=config.push.keep,
    ).with_id("Pusher")
    profile = DataProfile(report=examples.outputs["report"], pushed_model=pusher.outputs["pushed_model"])
    judging = [evaluator, *validating, serving_check, pusher]
    exporting = []
    if config.export.formats:
        exporting.append(
            ModelExporter(
                pushed_model=pusher.outputs["pushed_model"],
                examples=examples.outputs["examples"],
                **config.export.model_dump(),
            )
        )
    report = RunReport(
        settings=make_report_settings(config),
        explain_fn="trainer.grad_cam.explain",
        ingest_report=examples.outputs["report"],
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        tuner_results=tuning[0].outputs["tuner_results"] if tuning else None,
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        served_model=served_model.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
        serving_check=serving_check.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
    )
    data_steps = [examples, schema, statistics, validator, data_gate]
    return tfx.dsl.Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(config.run_root / "artifacts"),
        components=[*data_steps, transform, *tuning, trainer, served_model, *judging, profile, *exporting, report],
        enable_cache=True,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata_path)
        ),
        beam_pipeline_args=[*complete(config.runners.beam)],
    )
