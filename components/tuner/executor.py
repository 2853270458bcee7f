"""Searches hyperparameters for TFX."""

from typing import Protocol, cast

from tfx.components.tuner import executor as tfx_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import BEST_HYPERPARAMETERS_KEY, CUSTOM_CONFIG_KEY, TUNER_RESULTS_KEY
from tfx.utils import json_utils

from components.common.executor_types import Artifacts, ExecProperties
from components.common.ingest_report import read_summary
from components.tuner.drift import drift_since


class ReportingTuner(Protocol):
    """A Keras Tuner that can tell what it did."""

    def report(self, folder: str, source: str) -> dict[str, str]:
        """Writes its findings to `folder`; returns where the values in the artifact at `source` come from."""


class Executor(tfx_executor.Executor):
    """TFX's executor, which ranks and writes, with the drift before it and the report after it."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `examples`, `report` and what else the tuner needs, writes `best_hyperparameters`, `tuner_results`.

        The tuner finds what the images are like, and how far they are from those of earlier searches, in its
        `custom_config` as `images`: {"profile": ..., "drift": {artifact: divergence}}; and the folder of the features,
        where there are some, as `features`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = json_utils.loads(exec_properties[CUSTOM_CONFIG_KEY])
        profile = read_summary(artifact_utils.get_single_uri(input_dict["report"])).profile
        config["images"] = {"profile": profile, "drift": drift_since(config["checkpoint_root"], profile)}
        if input_dict.get("features"):
            config["features"] = artifact_utils.get_single_uri(input_dict["features"])
        properties = {**exec_properties, CUSTOM_CONFIG_KEY: json_utils.dumps(config)}

        tuner = tfx_executor.search(input_dict, properties, self._get_tmp_dir())
        tfx_executor.write_best_hyperparameters(tuner, output_dict)
        best = artifact_utils.get_single_instance(output_dict[BEST_HYPERPARAMETERS_KEY])
        results = artifact_utils.get_single_uri(output_dict[TUNER_RESULTS_KEY])
        for name, value in cast(ReportingTuner, tuner).report(results, best.uri).items():
            best.set_string_custom_property(name, value)
