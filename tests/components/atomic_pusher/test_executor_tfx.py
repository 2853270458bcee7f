"""What the Pusher does with a blessed model if another one was served since the gate judged."""

import json
from pathlib import Path

import pytest

from components.common import files
from components.common.push_properties import ALREADY_SERVED, REFUSAL
from components.gated_evaluator.verdict import GateVerdict, write_verdict
from components.served_model.versions import ServedVersion, find_baseline, pushed_models

pytestmark = pytest.mark.tfx


@pytest.fixture
def gate(tmp_path):
    """gate("a") judges a new model against what is served at this moment; the result pushes it."""
    from tfx.proto import pusher_pb2
    from tfx.types import standard_artifacts
    from tfx.utils import proto_utils

    from components.atomic_pusher.executor import Executor

    push_path = str(tmp_path / "served")
    destination = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_path))
    properties = {
        "push_destination": proto_utils.proto_to_json(destination),
        "custom_config": json.dumps({"keep": 5}),
    }

    def judge(name: str):
        model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
        model.uri, blessing.uri = str(tmp_path / name), str(tmp_path / f"{name} blessing")
        saved_model = f"{model.uri}/Format-Serving"
        for part in ("saved_model.pb", "fingerprint.pb", "variables/variables.index"):
            files.write_text(f"{saved_model}/{part}", name)
        blessing.set_int_custom_property("blessed", 1)
        served: ServedVersion = find_baseline(push_path, saved_model)
        verdict = GateVerdict(
            True, 0.9, {}, {}, [], served.version, None, [], [], served_fingerprint=served.fingerprint
        )
        write_verdict(blessing.uri, verdict)

        def push():
            pushed = standard_artifacts.PushedModel()
            pushed.uri = str(tmp_path / f"{name} pushed")
            Path(pushed.uri).mkdir(exist_ok=True)
            inputs = {"model": [model], "model_blessing": [blessing]}
            Executor().Do(inputs, {"pushed_model": [pushed]}, dict(properties))
            return pushed

        return push

    judge.push_path = push_path
    return judge


def test_of_two_runs_that_were_judged_at_once_the_second_pushes_nothing_and_says_run_again(gate):
    first, second = gate("a"), gate("b")
    assert first().get_int_custom_property("pushed") == 1
    refused = second()
    assert refused.get_int_custom_property("pushed") == 0
    assert "which is not what the gate compared this model with" in refused.get_string_custom_property(REFUSAL)
    assert "Run again" in refused.get_string_custom_property(REFUSAL)
    (served,) = pushed_models(gate.push_path)
    again = gate("b")()
    assert again.get_int_custom_property("pushed") == 1
    assert again.get_int_custom_property(ALREADY_SERVED) == 0
    assert pushed_models(gate.push_path)[1] == served
    assert gate("b")().get_int_custom_property(ALREADY_SERVED) == 1
