"""The engines that `runners.beam` can name, and Beam's options for them: a user says only what nobody else can know."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ValidationError, model_validator

from components.common.files import join
from trainer.settings import Settings

# Where a worker pool beside each of the engine's workers listens, as docs/beam.md starts it.
WORKER_POOL = "localhost:50000"
# Beam gives up a job whose messages took longer, however well it runs: so a week, and `check_reachable` before it.
JOB_SECONDS = 7 * 24 * 3600
FLINK_VERSION = "1.20"  # the newest that Beam 2.72 has a job server for


def _like(example: str) -> AfterValidator:
    """Asks for a value of the form of `example`, which ends with a port or a folder."""
    scheme, separator, _ = example.partition("://")

    def check(value: str) -> str:
        rest = value.removeprefix(scheme + separator) if separator else value
        ends_well = "/" in example.removeprefix("gs://") or rest.rpartition(":")[2].isdecimal()
        if (separator and rest == value) or " " in value or not ends_well:
            raise ValueError(f"got {value}, expected such as {example}")
        return value

    return AfterValidator(check)


Address = Annotated[str, _like("flink:8081")]


class Workers(Settings):
    """What the engines with workers elsewhere share."""

    workers: Address = WORKER_POOL
    """Address of the worker pool as the engine's own workers see it."""
    image: str | None = None
    """Image of the workers; null takes runners.kubeflow.image."""
    options: tuple[str, ...] = ()
    """More of Beam's or the engine's options, such as --parallelism=32."""


class Flink(Workers):
    """A Flink cluster."""

    master: Address
    """Address of its REST service, such as flink:8081."""
    jar: str | None = None
    """Beam's job server for Flink, a file; null downloads it."""


class Spark(Workers):
    """A Spark cluster."""

    master: Annotated[str, _like("spark://spark:7077")]
    """Its address, such as spark://spark:7077."""
    jar: str | None = None
    """Beam's job server for Spark 3, a file; null downloads it."""


class Dataflow(Settings):
    """Google's service."""

    project: str
    """Project that pays."""
    region: str
    """Region of the workers."""
    temp: Annotated[str, _like("gs://bucket/tmp")]
    """Folder for temporary files, on gs://."""
    image: str | None = None
    """Image of the workers; null takes runners.kubeflow.image."""
    options: tuple[str, ...] = ()
    """More of Beam's options."""


class JobService(Workers):
    """A job service of Beam's that runs already."""

    endpoint: Address
    """Its address, such as jobs:8099."""


class BeamEngine(Settings):
    """One engine."""

    flink: Flink | None = None
    """A Flink cluster."""
    spark: Spark | None = None
    """A Spark cluster."""
    dataflow: Dataflow | None = None
    """Google Dataflow."""
    job_service: JobService | None = None
    """A job service of Beam's that runs already."""

    @model_validator(mode="after")
    def _only_one(self) -> "BeamEngine":
        named = [name for name in type(self).model_fields if getattr(self, name)]
        if len(named) != 1:
            raise ValueError(f"names {len(named)} engines, expected one of {', '.join(type(self).model_fields)}")
        return self


ENGINES: Mapping[str, type[BaseModel]] = {
    "flink": Flink,
    "spark": Spark,
    "dataflow": Dataflow,
    "job_service": JobService,
}


def _whole(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema with its definitions where they are used, so that it can be part of another."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _whole(definitions[name], definitions)
    inside = {key: value for key, value in schema.items() if key != "$defs"}
    for key, value in inside.items():
        if isinstance(value, dict):
            inside[key] = _whole(value, definitions)
        elif isinstance(value, list):
            inside[key] = [_whole(one, definitions) if isinstance(one, dict) else one for one in value]
    return inside


def _schema() -> dict[str, Any]:
    engine = BeamEngine.model_json_schema()
    return {"anyOf": [{"type": "array", "items": {"type": "string"}}, _whole(engine, engine["$defs"])]}


BEAM_SCHEMA = _schema()


def options_of(value: Mapping[str, object], root: str, image: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns Beam's options for an engine.

    Args:
        value: as `BeamEngine` has it.
        root: folder that the driver and all workers share.
        image: of the workers, if `value` names none.
        environment: variables of the steps, beside those of this process.

    Raises:
        ValueError: in one line, with the key that is wrong.
    """
    try:
        engine = BeamEngine.model_validate(value)
    except ValidationError as error:
        raise ValueError("; ".join(_in_words(problem["loc"], problem["msg"]) for problem in error.errors())) from None
    environment = os.environ | environment
    if flink := engine.flink:
        own = ["--runner=FlinkRunner", f"--flink_master={flink.master}", f"--flink_version={FLINK_VERSION}"]
        own += [f"--flink_job_server_jar={flink.jar}"] if flink.jar else []
        own += [*_job_server(root), *_workers(flink, image), *_s3(environment)]
        return (*own, *flink.options)
    if spark := engine.spark:
        own = ["--runner=SparkRunner", f"--spark_master_url={spark.master}", "--spark_version=3"]
        own += [f"--spark_job_server_jar={spark.jar}"] if spark.jar else []
        own += [*_job_server(root), *_workers(spark, image), *_s3(environment)]
        return (*own, *spark.options)
    if service := engine.job_service:
        own = ["--runner=PortableRunner", f"--job_endpoint={service.endpoint}"]
        return (*own, *_workers(service, image), *_s3(environment), *service.options)
    assert engine.dataflow
    flow = engine.dataflow
    own = ["--runner=DataflowRunner", f"--project={flow.project}", f"--region={flow.region}"]
    own += [f"--temp_location={flow.temp}", f"--sdk_container_image={flow.image or image}", "--sdk_location=container"]
    return (*own, *_s3(environment), *flow.options)


def _in_words(place: tuple[int | str, ...], message: str) -> str:
    kind: type[BaseModel] = ENGINES.get(str(place[0]), BeamEngine) if len(place) > 1 else BeamEngine
    text = {
        "Field required": "is required",
        "Extra inputs are not permitted": f"unknown key; valid here: {', '.join(kind.model_fields)}",
    }.get(message, message.removeprefix("Value error, "))
    return f"{'.'.join(map(str, place))}: {text}" if place else text


def _job_server(root: str) -> list[str]:
    """Of a job server that the driver starts; it hands files to the engine's workers through a folder of both."""
    return [f"--artifacts_dir={join(root, 'beam-artifacts')}"]


def _workers(engine: Workers, image: str) -> list[str]:
    # TFX packs its sources for each worker to install, unless an image is named; a pool has one already.
    return [
        "--environment_type=EXTERNAL",
        f"--environment_config={engine.workers}",
        f"--sdk_container_image={engine.image or image}",
        f"--job_server_timeout={JOB_SECONDS}",
    ]


def _s3(environment: Mapping[str, str]) -> list[str]:
    """Tells workers of the store that this process reads; keys are secrets and come from the workers' environment."""
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    options = {"s3_endpoint_url": endpoint, "s3_region_name": region}
    return [f"--{name}={value}" for name, value in options.items() if value]
