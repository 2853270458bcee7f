"""Trains for TFX."""

from tfx.components.trainer import executor as tfx_executor
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.types import artifact_utils

from components.common.executor_types import Artifacts, ExecProperties


class Executor(tfx_executor.GenericExecutor):
    """TFX's executor, which also says where the features are."""

    def _GetFnArgs(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: ExecProperties) -> FnArgs:
        """TFX's own, with the folder of the features in its `custom_config`."""
        arguments = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        if input_dict.get("features"):
            features = artifact_utils.get_single_uri(input_dict["features"])
            arguments.custom_config = {**arguments.custom_config, "features": features}
        return arguments
