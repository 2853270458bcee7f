"""Where the report's material is."""

from dataclasses import dataclass, field

REPORT_FILE, CONFIGURATION_FILE = "report.html", "pipeline.yaml"


@dataclass(frozen=True)
class Sources:
    """The artifacts of a run by what they hold; "" for what the run never came to.

    Attributes:
        ingest_report: ImageExampleGen's `report`.
        examples: its `examples`.
        statistics: StatisticsGen's.
        anomalies: ExampleValidator's.
        tuner_results: the Tuner's `tuner_results`.
        model: the Trainer's `model`.
        model_run: its `model_run`.
        served_model: ServedModel's `model`.
        evaluation: GatedEvaluator's `evaluation`.
        serving_check: ServingCheck's `blessing`.
        pushed_model: Pusher's.
        error: why the run stopped before its end; "" if it did not.
    """

    ingest_report: str = ""
    examples: str = ""
    statistics: str = ""
    anomalies: str = ""
    tuner_results: str = ""
    model: str = ""
    model_run: str = ""
    served_model: str = ""
    evaluation: str = ""
    serving_check: str = ""
    pushed_model: str = ""
    error: str = ""


@dataclass(frozen=True)
class Push:
    """What Pusher noted of its artifact; `version` is "" if nothing was pushed, `refusal` says why where it knows."""

    version: str = ""
    destination: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class ReportSettings:
    """What the report is told of the run.

    Attributes:
        name: of the pipeline.
        limits: TFMA's metric -> the limit that was set, in words.
        drift: feature -> largest divergence allowed.
        configuration: the whole of it, as YAML; "" if it is not known.
        code: step, or file of pins -> hash of what ran.
        schedule: file with the schedule's earlier attempts, see `read_schedule`; "" without a schedule.
      most_images: eval images to ask the model about once more.
    """

    name: str
    limits: dict[str, str] = field(default_factory=dict)
    drift: dict[str, float] = field(default_factory=dict)
    configuration: str = ""
    code: dict[str, str] = field(default_factory=dict)
    schedule: str = ""
    most_images: int = 2000
