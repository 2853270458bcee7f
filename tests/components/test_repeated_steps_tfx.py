"""A Beam step's output is right whatever the engine repeats, reorders or leaves behind."""

import shutil
from pathlib import Path

import pytest

from tests.components.beam_steps import TWO_SHARDS, BeamSteps, shards
from tests.components.gated_evaluator.test_evaluation_tfx import save_model

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]

HOSTILE = "--runner=tests.components.hostile_engine.HostileRunner"


@pytest.fixture(scope="module")
def images(digits, tmp_path_factory) -> Path:
    """80 noughts and ones, of which one is a copy, and a torn file."""
    root = tmp_path_factory.mktemp("images")
    for label in ("0", "1"):
        (root / label).mkdir()
        for path in sorted((digits / label).iterdir())[:40]:
            shutil.copy(path, root / label / path.name)
    shutil.copy(next((root / "0").iterdir()), root / "0" / "copy.png")
    (root / "1" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"), accuracy=0.8)


@pytest.fixture(scope="module")
def steps(images, model, tmp_path_factory, in_memory_beam) -> BeamSteps:
    """Done once by the default engine."""
    return BeamSteps(str(images), model, tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="module")
def expected(steps):
    """What the default engine makes of the images."""
    found = steps.run_all()
    assert sum(len(found[f"examples {split}"]) for split in ("train", "val", "eval")) == 81
    assert all(found[f"transformed {split}"] for split in ("train", "val"))
    return found


def test_an_engine_that_repeats_and_shuffles_everything_changes_nothing(steps, expected):
    """It works in folders that are full, with other shards, and finds half of one that another worker left behind."""
    for name in steps.steps:
        steps.run(name, HOSTILE, *TWO_SHARDS)
        if name == "ImageExampleGen":
            assert len(shards(steps.uri(name, "examples"))) > 3, "the second attempt has other shards"
            left = [split / "beam-temp-data_tfrecord-1234" for split in Path(steps.uri(name, "examples")).iterdir()]
            for folder in left:
                folder.mkdir()
                (folder / "5678.data_tfrecord.gz").write_bytes(b"half a shard")
    for folder in left:
        shutil.rmtree(folder)
    assert steps.contents() == expected
    # TFX's own StatisticsGen leaves some, beside a file that is read by its name.
    for name in ("ImageExampleGen", "Transform", "GatedEvaluator"):
        outputs = [
            Path(artifact.uri) for (step, _), found in steps.artifacts.items() for artifact in found if step == name
        ]
        assert not [path for folder in outputs for path in folder.rglob("beam-temp-*")], name


def test_a_step_that_is_done_again_with_fewer_shards_has_only_its_own(steps, expected):
    """Without `transform.materialize` the trainer reads the ingest's folder, and nobody would count once more."""
    steps.run("ImageExampleGen", *TWO_SHARDS)
    for name in ("ImageExampleGen", "Transform"):
        steps.run(name)
    assert steps.contents() == expected
    assert shards(steps.uri("ImageExampleGen", "examples")) == ["data_tfrecord-00000-of-00001.gz"] * 3
