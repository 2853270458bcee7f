"""Asks for the verdict on the data for TFX."""

import json
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components import files
from components.data_gate.verdict import (
    check,
    find_problems,
    find_statistics_problems,
    read_anomalies,
    read_statistics,
)
from components.ingest_report import read_summary

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
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        summary = read_summary(artifact_utils.get_single_uri(input_dict["report"]))
        anomalies = read_anomalies(artifact_utils.get_single_uri(input_dict["anomalies"]))
        limits = {key: exec_properties[key] for key in ("max_bad_fraction", "min_images_per_class")}
        problems = find_problems(summary, anomalies, **limits)
        if input_dict.get("statistics"):
            statistics = read_statistics(artifact_utils.get_single_uri(input_dict["statistics"]))
            problems += find_statistics_problems(summary, statistics)
        check(problems)
        verdict = {
            "passed": True,
            "images": {split: sum(classes.values()) for split, classes in summary.written.items()},
            "faulty_files": summary.faulty,
            "limits": limits,
        }
        path = files.join(artifact_utils.get_single_uri(output_dict["verdict"]), VERDICT_FILE)
        files.write_text(path, json.dumps(verdict, indent=2) + "\n")
