"""Asks the exported model for TFX."""

import json
from dataclasses import replace
from itertools import islice

import tensorflow as tf
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.common import files
from components.common.executor_types import Artifacts, ExecProperties
from components.serving_check.check import check
from components.serving_check.report import write_report
from components.serving_check.verdict import Budgets

IMAGES = 8
NO_SERVER = (
    "TensorFlow Serving did not start, or did not answer (InfraValidator, serving.infra_validator); "
    "its reason stands in the run's log"
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
        report = check(saved_model, read_images(split, IMAGES), budgets, exec_properties["requests"])
        if (validated := input_dict.get("infra_blessing")) and not is_blessed(artifact_utils.get_single_uri(validated)):
            report = replace(report, problems=[*report.problems, NO_SERVER])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        write_report(blessing.uri, report)
        files.write_text(files.join(blessing.uri, BLESSED_FILES[report.blessed]), "")
        blessing.set_int_custom_property("blessed", int(report.blessed))


def is_blessed(uri: str) -> bool:
    """Tells whether an InfraBlessing says yes; one that says nothing does not."""
    return files.exists(files.join(uri, BLESSED_FILES[True]))


def read_images(split_uri: str, count: int) -> list[bytes]:
    """Returns the encoded bytes of the first images of a split that ImageExampleGen wrote."""
    names = files.find(split_uri, "*")
    spec = {"image": tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(names, compression_type="GZIP")
    return [tf.io.parse_single_example(record, spec)["image"].numpy() for record in islice(records, count)]
