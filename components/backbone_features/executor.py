"""Has the features computed for TFX."""

import importlib
import json

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from components.common import files
from components.common.example_counts import noted_counts
from components.common.executor_types import Artifacts, ExecProperties


class Executor(BaseExecutor):
    """Calls `features_fn` for all splits."""

    def Do(
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: ExecProperties,
    ) -> None:
        """Reads `examples`, writes `features`.

        Raises:
            RuntimeError: if there are not as many features as images.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        module, _, function = exec_properties["features_fn"].rpartition(".")
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        destination = artifact_utils.get_single_uri(output_dict["features"])
        names = json.loads(exec_properties["splits"])
        folders = {name: artifact_utils.get_split_uri([examples], name) for name in names}
        splits = {
            name: (files.all_in(folder), files.join(destination, f"Split-{name}")) for name, folder in folders.items()
        }
        config = json.loads(exec_properties["custom_config"])
        written = getattr(importlib.import_module(module), function)(splits, config)
        counts = noted_counts(examples, names)
        if lost := {name: count for name, count in counts.items() if written[name] != count}:
            found = ", ".join(f"{written[name]} of {count} of {name}" for name, count in lost.items())
            raise RuntimeError(f"images were lost: there are features of {found}")
