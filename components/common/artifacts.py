"""Artifact types of this project; the modules named here read what is in them, without TFX.

Kubeflow Pipelines takes only type names with a namespace.
"""

from tfx.types.artifact import Artifact


class IngestReport(Artifact):
    """What an ingest wrote and set aside; `components.common.ingest_report` reads it."""

    TYPE_NAME = "effnet.IngestReport"


class DataVerdict(Artifact):
    """Why the data may be trained on: `verdict.json`, written by `DataGate` when it lets a run go on."""

    TYPE_NAME = "effnet.DataVerdict"


class Exports(Artifact):
    """A pushed model in other formats; `components.model_exporter.report` reads how far they agree with it."""

    TYPE_NAME = "effnet.Exports"


class BackboneFeatures(Artifact):
    """What a frozen network says of the images: a folder a split, which `trainer.feature_set` reads."""

    TYPE_NAME = "effnet.BackboneFeatures"


class StudyReport(Artifact):
    """What came of trainings that are compared: index.html, results.csv and figures; StudyReport writes it."""

    TYPE_NAME = "effnet.StudyReport"


class RunReport(Artifact):
    """What a person wants to know of a run: report.html, model_card.md and the configuration; RunReport writes it."""

    TYPE_NAME = "effnet.RunReport"
