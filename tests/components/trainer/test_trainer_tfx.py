"""What the Trainer's executor hands to `run_fn`: TFX's own arguments, and where the features are."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.tfx

CALLS: list[SimpleNamespace] = []


def note(fn_args) -> None:
    """Stands in for a training: the executor calls what `run_fn` names, and wants a model."""
    CALLS.append(fn_args)
    Path(fn_args.serving_model_dir).mkdir(parents=True)


@pytest.mark.parametrize("featured", [True, False])
def test_run_fn_is_told_where_the_features_are(tmp_path, featured):
    from tfx.types import standard_artifacts

    from components.common.artifacts import BackboneFeatures
    from components.trainer.executor import Executor

    examples, model, run = standard_artifacts.Examples(), standard_artifacts.Model(), standard_artifacts.ModelRun()
    examples.split_names = json.dumps(["train", "val"])
    for name, artifact in {"examples": examples, "model": model, "run": run}.items():
        artifact.uri = str(tmp_path / name)
    features = BackboneFeatures()
    features.uri = str(tmp_path / "features")
    properties = {
        "run_fn": f"{__name__}.note",
        "train_args": json.dumps({"splits": ["train"]}),
        "eval_args": json.dumps({"splits": ["val"]}),
        "custom_config": json.dumps({"seed": 7}),
    }
    inputs = {"examples": [examples], **({"features": [features]} if featured else {})}
    Executor().Do(inputs, {"model": [model], "model_run": [run]}, properties)
    (told,) = [CALLS.pop()]
    assert told.custom_config == {"seed": 7, **({"features": features.uri} if featured else {})}
    assert told.train_files == [f"{examples.uri}/Split-train/*"]
