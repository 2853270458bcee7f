"""DataGate as a TFX component."""

import json
from collections.abc import Mapping

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.common import artifacts
from components.common.component_spec import TypedSpec
from components.data_gate.driver import Driver
from components.data_gate.executor import Executor


class DataGateSpec(TypedSpec):
    """What goes in and out of DataGate."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        "max_bad_fraction": ExecutionParameter(type=float),
        "min_images_per_class": ExecutionParameter(type=int),
        "max_class_imbalance": ExecutionParameter(type=float),
        "drift": ExecutionParameter(type=str),
        "push_path": ExecutionParameter(type=str),
        "refuse_other_classes": ExecutionParameter(type=int),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "report": ChannelParameter(type=artifacts.IngestReport),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {"verdict": ChannelParameter(type=artifacts.DataVerdict)}


class DataGate(BaseComponent):
    """Stops the run if a split is empty or has anomalies, too many files are faulty, a class is too small, or the
    images have drifted.

    ExampleValidator only notes anomalies; a node that must not run on bad data needs `add_upstream_node(gate)`.

    Outputs:
        verdict: `DataVerdict` with verdict.json, there only if the data passed.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        anomalies: BaseChannel[standard_artifacts.ExampleAnomalies],
        report: BaseChannel[artifacts.IngestReport],
        max_bad_fraction: float,
        min_images_per_class: int,
        statistics: BaseChannel[standard_artifacts.ExampleStatistics] | None = None,
        drift: Mapping[str, float] | None = None,
        push_path: str = "",
        max_class_imbalance: float = 100.0,
        refuse_other_classes: bool = False,
    ):
        """Describes a gate.

        Args:
            anomalies: ExampleValidator's `anomalies`.
            report: ImageExampleGen's `report`.
            max_bad_fraction: largest share of faulty files, 0 to 1; hidden files do not count.
            min_images_per_class: fewest training images of each class.
            statistics: StatisticsGen's `statistics`; with them the gate also asks that they cover every example and
                that image formats were looked at.
            drift: feature of components.common.profile -> largest divergence from the images of the served model,
                0 to 1; None or empty compares nothing.
            push_path: folder of the pushed models; "" compares nothing.
            max_class_imbalance: how many times as many training images as the smallest class the largest may have.
            refuse_other_classes: stops where the classes are not the served model's, which the gate behind training
                would refuse; otherwise they are named.
        """
        spec = DataGateSpec(
            anomalies=anomalies,
            report=report,
            statistics=statistics,
            max_bad_fraction=float(max_bad_fraction),
            min_images_per_class=min_images_per_class,
            max_class_imbalance=float(max_class_imbalance),
            drift=json.dumps(drift or {}, sort_keys=True),
            push_path=push_path,
            refuse_other_classes=int(refuse_other_classes),
            verdict=Channel(type=artifacts.DataVerdict),
        )
        super().__init__(spec=spec)
