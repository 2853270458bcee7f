"""Asks for the verdict on the data for TFX."""

import json

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from components.common import files
from components.common.events import report_warning
from components.common.executor_types import Artifacts, ExecProperties
from components.common.ingest_report import read_summary
from components.common.model_info import read_model_info
from components.common.profile import find_drift, read_profile
from components.data_gate.driver import SERVED
from components.data_gate.verdict import (
    check,
    describe_other_classes,
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
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
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
        drift = json.loads(exec_properties["drift"])
        if served and drift:
            problems += find_drift(summary.profile, read_profile(served), drift)
        others = describe_other_classes(summary.classes, read_model_info(served).get("classes")) if served else ""
        if others and int(exec_properties["refuse_other_classes"]):
            problems.append(f"{others}: with evaluate.other_classes=floors such a model may be pushed")
        elif others:
            report_warning(f"{others}: its floors alone will decide")
        check(problems)
        verdict = {
            "passed": True,
            "images": {split: summary.images_of(split) for split in summary.written},
            "faulty_files": summary.faulty,
            "limits": limits,
            "compared_with": served,
            "other_classes": others,
        }
        path = files.join(artifact_utils.get_single_uri(output_dict["verdict"]), VERDICT_FILE)
        files.write_text(path, json.dumps(verdict, indent=2) + "\n")
