"""`effnet scale cost`, as a user types it."""

import json

import pytest
from typer.testing import CliRunner

from pipeline.cli import app


def effnet(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["scale", "cost", *arguments], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_chosen_network_is_shown_beside_the_published_ones():
    networks = json.loads(effnet("--set", "model.phi=-1", "--set", "model.image_size=null", "--json"))
    assert [network["name"] for network in networks] == ["phi-1", "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"]
    assert networks[0]["macs"] < networks[1]["macs"] == 385_814_752
    assert networks[1]["parameters"] == 5_330_571
    assert "0.3858" in effnet()


def test_its_blocks_and_layers_are_shown_on_request():
    layers = json.loads(effnet("--by", "layer", "--json", "--set", "model.image_size=224"))
    assert sum(layer["macs"] for layer in layers) == 385_814_752
    assert "block7a" in effnet("--by", "block")
    assert "block7a_se_reduce" in effnet("--by", "layer")


def test_the_table_tells_the_two_b0_apart_and_what_it_assumes():
    shown = effnet("--set", "model.image_size=64")
    assert [line.split()[0] for line in shown.splitlines() if "b0" in line] == ["yours:", "b0"]
    assert "1000 classes (--classes)" in shown
    assert " ms" not in shown


@pytest.mark.slow
def test_latency_is_measured_on_request():
    arguments = ("--latency", "--json", "--set", "model.phi=-9", "--set", "model.image_size=64")
    measured, *others = (network["latency_ms"] for network in json.loads(effnet(*arguments)))
    assert 0 < measured < 10_000
    assert others == [None] * 8
