"""The Tuner as a TFX component."""

from pathlib import Path
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.source_hash import source_hash
from components.tuner.executor import Executor


class Tuner(tfx.components.Tuner):
    """TFX's Tuner for a `tuner_fn` whose tuner reports.

    Outputs:
        best_hyperparameters: `HyperParameters`; the custom properties `searched_by` and `searched_at` name the search.
        tuner_results: `TunerResults` with all that the tuner's `report` writes.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(self, custom_config: dict[str, Any], **arguments: Any):
        """Describes a search.

        Args:
            custom_config: what `tuner_fn` is given.
            **arguments: those of TFX's Tuner.
        """
        config = {**custom_config, "component_source": source_hash(Path(__file__).parent)}
        super().__init__(custom_config=config, **arguments)
