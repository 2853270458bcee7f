"""GatedEvaluator as a TFX component."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from tensorflow_model_analysis.proto import config_pb2
from tfx.components import Evaluator
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import BaseChannel, standard_artifacts, standard_component_specs

from components.gated_evaluator import extractors
from components.gated_evaluator.executor import RULES, Executor
from components.gated_evaluator.needs_a_threshold import require_absolute_threshold
from components.gated_evaluator.rules import Rules


class GatedEvaluator(Evaluator):
    """Evaluator with ServedModel's output as its baseline.

    While nothing is served the absolute thresholds alone decide; afterwards those on the change count as well.

    Outputs:
        evaluation: `ModelEvaluation`.
        blessing: `ModelBlessing`; both hold verdict.json, which `verdict.read_verdict` reads.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel[standard_artifacts.Examples],
        model: BaseChannel[standard_artifacts.Model],
        baseline_model: BaseChannel[standard_artifacts.Model],
        eval_config: config_pb2.EvalConfig,
        example_splits: Sequence[str] = ("eval",),
        schema: BaseChannel[standard_artifacts.Schema] | None = None,
        rules: Rules | None = None,
    ):
        """Describes an evaluation.

        Args:
            examples: what to evaluate on.
            model: the candidate.
            baseline_model: ServedModel's `model`.
            eval_config: metrics and thresholds; at least one absolute threshold.
            example_splits: the splits to evaluate on.
            schema: schema of the examples.
            rules: what TFMA's thresholds cannot express; None: nothing else.

        Raises:
            GateError: if no metric has an absolute threshold.
        """
        super().__init__(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            eval_config=eval_config,
            example_splits=list(example_splits),
            schema=schema,
            module_path=extractors.__name__,
        )
        require_absolute_threshold(self.exec_properties[standard_component_specs.EVAL_CONFIG_KEY])
        self.exec_properties[RULES] = json.dumps(asdict(rules or Rules()))
