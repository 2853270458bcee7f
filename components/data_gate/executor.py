"""Asks for the verdict on the data for TFX."""

import json
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.common import files
from components.common.ingest_report import read_summary
from components.common.profile import find_drift, read_profile
from components.data_gate.driver import SERVED
from components.data_gate.verdict import (
    check,
    find_problems,
    find_statistics_problems,
    read_anomalies,
    read_statistics,
)
from components.served_model.versions import served_path

VERDICT_FILE = "verdict.json"


class Executor(BaseExecutor):
    """Fails the run or writes down why it may go on."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads `anomalies`, `report` and, if they are given, `statistics`; writes `verdict`.

        Raises:
            DataError: if the data is not fit to train on, or nobody can tell.
            GateError: if what is served cannot be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        summary = read_summary(artifact_utils.get_single_uri(input_dict["report"]))
        anomalies = read_anomalies(artifact_utils.get_single_uri(input_dict["anomalies"]))
        limits = {
            key: exec_properties[key] for key in ("max_bad_fraction", "min_images_per_class", "max_class_imbalance")
        }
        problems = find_problems(summary, anomalies, **limits)
        if input_dict.get("statistics"):
            statistics = read_statistics(artifact_utils.get_single_uri(input_dict["statistics"]))
            problems += find_statistics_problems(summary, statistics)
        # Where no driver ran, as on Vertex AI, the parameter is absent.
        served = exec_properties[SERVED] if SERVED in exec_properties else served_path(exec_properties["push_path"])
        if served:
            problems += find_drift(summary.profile, read_profile(served), json.loads(exec_properties["drift"]))
        check(problems)
        verdict = {
            "passed": True,
            "images": {split: sum(classes.values()) for split, classes in summary.written.items()},
            "faulty_files": summary.faulty,
            "limits": limits,
            "compared_with": served,
        }
        path = files.join(artifact_utils.get_single_uri(output_dict["verdict"]), VERDICT_FILE)
        files.write_text(path, json.dumps(verdict, indent=2) + "\n")
