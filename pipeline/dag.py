"""The pipeline's wiring: configuration in, TFX pipeline out.

    images -> ImageExampleGen -> StatisticsGen -> ExampleValidator -> DataGate -> Transform
           -> BackboneFeatures, to fine-tune -> Tuner -> Trainer
           -> Evaluator, against what is served now -> ServingCheck -> Pusher -> DataProfile, for the next run's gate
           -> RunReport

Importing this module does not load TFX; calling `create_pipeline` does (10 s or more).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.common.code_key import code_key
from components.common.files import sha256
from pipeline.config.beam import check_ready, complete
from pipeline.config.model import PipelineConfig
from pipeline.steps.code_keys import CODE_KEY, add_code_keys
from pipeline.steps.data import data_steps, training_inputs, transform_step
from trainer.recipes import recipe_of
from trainer.settings import NO_FILE, WEB

if TYPE_CHECKING:
    from tfx import v1 as tfx
    from tfx.dsl.components.base.base_node import BaseNode


def image_size_of(config: PipelineConfig) -> int:
    """Pixels a side that the network sees."""
    return config.model.chosen_variant.resolution


def create_pipeline(config: PipelineConfig) -> "tfx.dsl.Pipeline":
    """Wires every component.

    Outputs lie under `config.run_root`: `artifacts/`, and `metadata.sqlite` for MLMD.
    """
    from components.atomic_pusher.component import AtomicPusher
    from components.backbone_features.component import BackboneFeatures
    from components.data_profile.component import DataProfile
    from components.gated_evaluator.component import GatedEvaluator
    from components.model_exporter.component import ModelExporter
    from components.run_report.component import RunReport
    from components.served_model.component import ServedModel
    from components.served_model.versions import fingerprint
    from components.serving_check.component import ServingCheck
    from components.trainer.component import Trainer
    from components.tuner.component import Tuner
    from pipeline.steps.infra_validation import make_infra_validator
    from pipeline.steps.report_settings import make_report_settings
    from pipeline.steps.tfma_eval_config import make_budgets, make_eval_config, make_rules

    size = image_size_of(config)
    data = data_steps(config)
    examples, schema, statistics, validator, _ = data
    transform = transform_step(config, data, size)
    training = training_inputs(config, data, transform)
    network: dict[str, object] = {"model": config.model.model_dump(), "transform": config.transform.model_dump()}
    if (weights := config.model.weights) not in NO_FILE and not weights.lower().startswith(WEB):  # whose hash is given
        network["weights_source"] = fingerprint(weights) if Path(weights).is_dir() else sha256(weights)
    featuring = []
    if recipe_of(config.train).head_share:
        featuring.append(
            BackboneFeatures(
                features_fn="trainer.features.features_fn",
                examples=training["examples"],
                splits=["train", "val"],
                custom_config={**network, "mirrored": recipe_of(config.train).augment.horizontal_flip},
            )
        )
    features = featuring[0].outputs["features"] if featuring else None
    choices = {**network, "train": config.train.model_dump(), "image_size": size, "seed": config.seed}
    for_serving: dict[str, object] = {"transform": config.transform.model_dump()}  # exported with the model
    if config.serving.known_precision is not None:
        for_serving["known_precision"] = config.serving.known_precision
    # Next to the metadata store: cached results depend on this path, because it is in their key.
    resumable = {**choices, **for_serving, "checkpoint_root": str(config.run_root / "checkpoints")}
    # If `source` differs, a training does not resume from a checkpoint, nor a search from its trials.
    resumable["source"] = code_key("trainer.train")
    tuning = []
    if config.tune.enabled:
        searched = {"checkpoint_root": str(config.tuning_root), "source": code_key("trainer.tuning.search")}
        tuner = Tuner(
            tuner_fn="trainer.tuner.tuner_fn",
            report=examples.outputs["report"],
            custom_config={**choices, **searched, "tune": config.tune.model_dump()},
            features=features,
            **training,
        )
        tuning.append(tuner)
    trainer = Trainer(
        run_fn="trainer.train.run_fn",
        hyperparameters=tuning[0].outputs["best_hyperparameters"] if tuning else None,
        custom_config=resumable,
        features=features,
        **training,
    )
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
        engine=config.serving.engine,
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
    reported = [*data, transform, *featuring, *tuning, trainer, served_model, *judging]
    add_code_keys(reported)
    report = RunReport(
        settings=make_report_settings(config, {step.id: step.exec_properties[CODE_KEY] for step in reported}),
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
    return assemble(config, [*reported, profile, *exporting, report])


def assemble(config: PipelineConfig, components: "Sequence[BaseNode]") -> "tfx.dsl.Pipeline":
    """The components as a pipeline, their code in their cache keys; its outputs lie under `config.run_root`."""
    from tfx import v1 as tfx

    check_ready(config.runners.beam)
    add_code_keys(components)
    return tfx.dsl.Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(config.run_root / "artifacts"),
        components=list(components),
        enable_cache=True,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata_path)
        ),
        beam_pipeline_args=[*complete(config.runners.beam)],
    )
