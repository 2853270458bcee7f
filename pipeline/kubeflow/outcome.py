"""The last step on Kubeflow: a run whose model was not pushed ends as failed there, and says why.

To TFX and to Kubeflow a model that the gate refuses is no failure: each step has done its work, and the reason stands
only in an artifact. This step has no executor, needs no TFX, and writes nothing.
"""

from collections.abc import Mapping

from components.common.errors import GateError
from components.common.json_types import Parsed
from components.common.push_properties import PUSHED, REFUSAL
from components.gated_evaluator.verdict import read_verdict
from components.serving_check.report import read_report

TASK = "Outcome"
EVALUATION, SERVING_CHECK, PUSHED_MODEL = "evaluation", "serving_check", "pushed_model"
# Its inputs: the step, and the step's output.
INPUTS = {
    EVALUATION: ("GatedEvaluator", "evaluation"),
    SERVING_CHECK: ("ServingCheck", "blessing"),
    PUSHED_MODEL: ("Pusher", "pushed_model"),
}


def check_pushed(uris: Mapping[str, str], pushed: Mapping[str, Parsed]) -> None:
    """Does nothing if the run's model is served.

    Args:
      uris: where the inputs lie, by the names of `INPUTS`.
      pushed: properties of Pusher's artifact.

    Raises:
      GateError: it was not pushed; all reasons in one line.
    """
    if pushed.get(PUSHED):
        return
    problems = [*read_verdict(uris[EVALUATION]).problems, *read_report(uris[SERVING_CHECK]).problems]
    reasons = problems or [str(pushed.get(REFUSAL) or "the pusher did not push it, and says no reason")]
    raise GateError("; ".join(reasons))
