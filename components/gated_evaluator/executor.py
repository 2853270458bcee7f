"""TFX's Evaluator for a baseline that may not exist."""

from typing import Any

from tfx.components.evaluator import executor as evaluator_executor
from tfx.types import Artifact, artifact_utils, standard_component_specs

from components.gated_evaluator.thresholds import require_absolute_threshold
from components.served_model.versions import read_served


class Executor(evaluator_executor.Executor):
    """Leaves the baseline out when nothing is served; TFMA then drops the thresholds on the change as well."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the candidate; inputs, outputs and parameters are Evaluator's.

        Raises:
            GateError: if no metric has an absolute threshold.
            OSError: if the baseline was not written by ServedModel.
        """
        require_absolute_threshold(exec_properties[standard_component_specs.EVAL_CONFIG_KEY])
        baseline = standard_component_specs.BASELINE_MODEL_KEY
        if input_dict.get(baseline) and not read_served(artifact_utils.get_single_uri(input_dict[baseline])).version:
            input_dict = {key: artifacts for key, artifacts in input_dict.items() if key != baseline}
        super().Do(input_dict, output_dict, exec_properties)
