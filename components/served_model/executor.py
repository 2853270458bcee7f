"""Brings the served model into an artifact for TFX."""

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.common import files
from components.common.errors import GateError
from components.common.executor_types import Artifacts, ExecProperties
from components.served_model.driver import FINGERPRINT, VERSION, resolve
from components.served_model.versions import SAVED_MODEL_FILE, ServedVersion, write_served


class Executor(BaseExecutor):
    """Links or copies the served SavedModel."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `push_path` and `candidate`, writes `model`.

        Raises:
            GateError: if what is served cannot be read, or was deleted meanwhile.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        push_path = exec_properties["push_path"]
        if VERSION in exec_properties:
            served = ServedVersion(exec_properties[VERSION], exec_properties[FINGERPRINT])
        else:
            served = resolve(push_path, input_dict)
        model = artifact_utils.get_single_instance(output_dict["model"])
        if served.version:
            folder = files.join(push_path, served.version)
            files.bring(folder, path_utils.serving_model_dir(model.uri))
            # Of a version that is being deleted saved_model.pb goes first.
            if not files.exists(files.join(folder, SAVED_MODEL_FILE)):
                raise GateError(
                    f"version {served.version} was deleted from {push_path} while it was read: another push has "
                    "replaced it; run again"
                )
        write_served(model.uri, served)
        model.set_string_custom_property(VERSION, served.version)
