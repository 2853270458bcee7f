"""Whether an evaluation can say no."""

import json

from components.common.errors import GateError
from components.common.json_types import Json

_VALUE_THRESHOLD = frozenset({"value_threshold", "valueThreshold"})  # as protobuf writes it, and its JSON
_BOUNDS = frozenset({"lower_bound", "upper_bound", "lowerBound", "upperBound"})


def require_absolute_threshold(eval_config_json: str) -> None:
    """Does nothing if a metric has a bound of its own.

    A threshold on the change against the model in production says nothing while there is none, and TFMA then lets every
    candidate pass.

    Args:
        eval_config_json: a tfma.EvalConfig in protobuf's JSON.

    Raises:
        GateError: if no metric has a lower or an upper bound.
    """
    if not _has_bound(json.loads(eval_config_json)):
        raise GateError(
            "got no absolute threshold for the evaluation, expected a lower or upper bound of at least one metric: "
            "set one in evaluate, such as a smallest accuracy"
        )


def _has_bound(node: Json) -> bool:
    if isinstance(node, list):
        return any(map(_has_bound, node))
    if not isinstance(node, dict):
        return False
    return any(
        (key in _VALUE_THRESHOLD and isinstance(value, dict) and not _BOUNDS.isdisjoint(value)) or _has_bound(value)
        for key, value in node.items()
    )
