"""Searches hyperparameters for TFX."""

from typing import Any, Protocol, cast

from tfx.components.tuner import executor as tfx_executor
from tfx.types import Artifact, artifact_utils, standard_component_specs


class ReportingTuner(Protocol):
    """A Keras Tuner that can tell what it did."""

    def report(self, folder: str, source: str) -> dict[str, str]:
        """Writes its findings to `folder`; returns where the values in the artifact at `source` come from."""


class Executor(tfx_executor.Executor):
    """TFX's executor, which ranks and writes, and then asks for the report."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads `examples` and what else the tuner needs, writes `best_hyperparameters` and `tuner_results`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        tuner = tfx_executor.search(input_dict, exec_properties, self._get_tmp_dir())
        tfx_executor.write_best_hyperparameters(tuner, output_dict)
        best = artifact_utils.get_single_instance(output_dict[standard_component_specs.BEST_HYPERPARAMETERS_KEY])
        results = artifact_utils.get_single_uri(output_dict[standard_component_specs.TUNER_RESULTS_KEY])
        for name, value in cast(ReportingTuner, tuner).report(results, best.uri).items():
            best.set_string_custom_property(name, value)
