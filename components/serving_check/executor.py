"""Asks the exported model for TFX."""

import json
import tempfile
from dataclasses import replace
from itertools import islice

import tensorflow as tf
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.common import files
from components.common.executor_types import Artifacts, ExecProperties
from components.serving_check.check import check
from components.serving_check.engine_proof import prove_engine
from components.serving_check.report import ADDED_FILES, ServingReport, write_report
from components.serving_check.verdict import Budgets
from components.serving_check.warmup import write_warmup
from components.serving_engine.proof import write_proof

IMAGES = 8
NO_SERVER = (
    "TensorFlow Serving did not start, or did not answer (InfraValidator, serving.infra_validator); "
    "see the reason in the run's log"
)
BLESSED_FILES = {True: "INFRA_BLESSED", False: "INFRA_NOT_BLESSED"}  # as InfraValidator's


class Executor(BaseExecutor):
    """Sends raw images of a split, and the trainer's own, to the SavedModel in a fresh process."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `model`, `examples` and, if it is given, `infra_blessing`; writes `blessing`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        saved_model = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
        (split,) = artifact_utils.get_split_uris(input_dict["examples"], exec_properties["split"])
        budgets = Budgets(**json.loads(exec_properties["budgets"]))
        images = read_images(split, IMAGES)
        report = check(saved_model, images, budgets, exec_properties["requests"])
        if (validated := input_dict.get("infra_blessing")) and not is_blessed(artifact_utils.get_single_uri(validated)):
            report = replace(report, problems=[*report.problems, NO_SERVER])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        if report.blessed:
            added = files.join(blessing.uri, ADDED_FILES)
            report = _add_files(report, saved_model, split, images, exec_properties, added)
        write_report(blessing.uri, report)
        files.write_text(files.join(blessing.uri, BLESSED_FILES[report.blessed]), "")
        blessing.set_int_custom_property("blessed", int(report.blessed))


def _add_files(
    report: ServingReport,
    saved_model: str,
    split: str,
    images: list[bytes],
    exec_properties: ExecProperties,
    destination: str,
) -> ServingReport:
    """Writes what a server needs beside the model below `destination`; returns the report with the engine's proof."""
    tolerance = json.loads(exec_properties["budgets"])["tolerance"]
    with tempfile.TemporaryDirectory() as folder:
        write_warmup(folder, images)
        if exec_properties["engine"] == "auto":
            with files.brought(saved_model) as local:
                proof = prove_engine(local, read_split(split), tolerance, exec_properties["requests"], folder)
            write_proof(folder, proof)
            report = replace(report, engine=proof)
        for name in files.walk(folder):
            files.copy(files.join(folder, name), files.join(destination, name))
    return report


def is_blessed(uri: str) -> bool:
    """Tells whether an InfraBlessing blesses; one without a verdict does not."""
    return files.exists(files.join(uri, BLESSED_FILES[True]))


def read_images(split_uri: str, count: int) -> list[bytes]:
    """Returns the encoded bytes of the first images of a split that ImageExampleGen wrote."""
    return [image.numpy() for image in islice(read_split(split_uri), count)]


def read_split(split_uri: str) -> tf.data.Dataset:
    """Returns the encoded bytes of every image of a split that ImageExampleGen wrote, scalar strings."""
    names = files.shards(split_uri)
    spec = {"image": tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(names, compression_type="GZIP")
    return records.map(lambda record: tf.io.parse_single_example(record, spec)["image"])
