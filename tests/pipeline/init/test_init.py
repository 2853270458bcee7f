"""`effnet init`: what it sees in a folder, what it suggests, and that the next command takes it."""

import json
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_sample_images
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config.edit import with_values
from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.init.forecast import forecast_seconds
from pipeline.init.suggestions import FLATTEST_PHOTO, StartingWeights, suggest
from pipeline.init.survey import FolderSurvey, flatness_of
from pipeline.init.write import name_of
from trainer.pace import Pace, measure_pace


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two classes of forty photo tiles, and what is wrong with some files; the shell stands beside the folder."""
    folder = tmp_path / "My photos: 菊花 #1"
    for name, photo in zip(("china", "<b>flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        for tile in range(40):
            row, column = divmod(tile, 8)
            pixels = photo[row * 80 : row * 80 + 80, column * 80 : column * 80 + 80]
            Image.fromarray(np.kron(pixels, np.ones((2, 2, 1), np.uint8))).save(folder / name / f"{tile}.jpg")
    whole = (folder / "china" / "1.jpg").read_bytes()
    (folder / "china" / "copy of 1.jpg").write_bytes(whole)
    (folder / "china" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "china" / "Thumbs.db").write_bytes(b"\xd0\xcf")
    monkeypatch.chdir(tmp_path)
    return folder


def init(*arguments: str):
    """The command without training steps, which the forecast rests on by default."""
    return CliRunner().invoke(
        app, ["init", "--no-measure", *arguments], env={"COLUMNS": "200", "KERAS_HOME": "/nowhere"}
    )


def test_it_names_what_it_found_and_writes_what_the_next_command_takes(photos):
    done = init(str(photos))
    assert done.exit_code == 0, done.output
    for told in ("82 files in 2 classes", "160 px", "1 identical", "china/cut.jpg", "next: effnet run"):
        assert told in done.output
    settings = load_config()  # finds the file in the shell's folder
    assert settings.data.path == str(photos)
    written = (photos.parent / "pipeline.yaml").read_text(encoding="utf-8")
    assert str(photos.parent) not in written, "file and folder can be moved together"
    assert settings.name == "my-photos-1"
    assert settings.model.image_size == 128
    assert settings.transform.resize == "crop"
    assert settings.train.augment.horizontal_flip is True
    assert "always answering the largest class is right" in written
    head = written.partition("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in head)
    assert "#     china/21.jpg: china" in head, "an example has no empty name before it"


def test_its_json_has_all_of_it(photos):
    result = json.loads(init(str(photos), "--json").stdout)
    assert result["found"]["classes"] == {"china": 42, "<b>flower": 40}
    assert result["forecast_seconds"] is None or result["forecast_seconds"] > 0
    assert all(suggestion["reason"] for suggestion in result["suggestions"])


def test_a_file_that_is_there_is_not_overwritten_unless_asked(photos):
    (photos.parent / "pipeline.yaml").write_text("mine")
    assert "--force" in str(init(str(photos)).exception)
    assert (photos.parent / "pipeline.yaml").read_text() == "mine"
    assert init(str(photos), "--force").exit_code == 0


def test_a_file_of_timms_brings_its_variant_and_its_hash(photos):
    sha256 = "a" * 64
    url = "https://example.org/timm/tf_efficientnet_lite0.in1k/model.safetensors"
    done = init(str(photos), "--weights", url, "--weights-sha256", sha256)
    assert done.exit_code == 0, done.output
    config = load_config()
    assert (config.model.weights, config.model.variant, config.model.weights_sha256) == (url, "lite0", sha256)
    assert config.model.image_size == 224
    assert (config.train.recipe, config.tune.trials) == ("finetune", 50)
    assert "tf_efficientnet_b0 or the like" in str(init(str(photos), "--weights", "mine.safetensors").exception)


def test_published_weights_bring_the_recipe_that_needs_them(photos):
    assert init(str(photos), "--weights", "imagenet").exit_code == 0
    assert load_config().train.recipe == "finetune"


def test_other_values_leave_comments_and_everything_else_alone():
    shipped = DEFAULT_PATH.read_text(encoding="utf-8")
    changed = with_values(shipped, {"train.epochs": 40, "data.path": "a: #b", "train.augment.horizontal_flip": True})
    lines = [line for line in changed.splitlines() if line not in shipped.splitlines()]
    assert len(lines) == 3
    assert len(changed.splitlines()) == len(shipped.splitlines())
    values, before = yaml.safe_load(changed), yaml.safe_load(shipped)
    assert values["data"].pop("path") == "a: #b"
    assert values["train"].pop("epochs") == 40
    assert values["train"]["augment"].pop("horizontal_flip") is True
    for section, key in (("data", "path"), ("train", "epochs")):
        before[section].pop(key)
    before["train"]["augment"].pop("horizontal_flip")
    assert values == before
    with pytest.raises(KeyError, match=r"train\.epoch"):
        with_values(shipped, {"train.epoch": 1})


@pytest.mark.parametrize("folder", ["/a/Fotos", "/菊花", "/a/on", "/a/2024", "/a/-x-", "/a/" + "n" * 99])
def test_any_folder_gives_a_name_that_the_configuration_takes(folder, tmp_path):
    text = with_values(DEFAULT_PATH.read_text(encoding="utf-8"), {"name": name_of(folder)})
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    assert load_config(tmp_path / "own.yaml").name == name_of(folder)


@pytest.mark.parametrize("folder", ["/a/photos/{SPAN}", "/a/photos/day-{SPAN}/x", "/a/photos/1", "/a/photos.csv"])
def test_the_name_is_one_that_speaks(folder):
    assert name_of(folder) in ("photos", "x")


def test_days_with_class_folders_in_them_are_told_from_classes(photos):
    assert "{SPAN}" not in init(str(photos)).output
    for day in ("2024-05-01", "2024-05-02"):
        shutil.copytree(photos, photos.parent / "days" / day)
    asked = init("days", "--force")
    assert (asked.exit_code, "effnet init 'days/{SPAN}'" in asked.output) == (2, True), asked.output
    done = init("days/{SPAN}", "--force")
    assert "in 2 classes" in done.output and "{SPAN}" not in done.output.partition("next:")[2]
    assert (load_config().name, load_config().data.path) == ("days", str(photos.parent / "days" / "{SPAN}"))


def test_suggestions_follow_the_images():
    symbols = FolderSurvey("x", {"a": 900, "b": 100}, [], 1000, [], 0, (32, 32, 32), 1.0)
    chosen = {found.key: found.value for found in suggest(symbols, gpu=False)}
    assert chosen["train.augment.horizontal_flip"] is False
    assert chosen["model.image_size"] == 64
    assert chosen["train.class_balance"] == "weights"
    assert chosen["evaluate.min_accuracy"] > 0.9  # to say "a" always is no model

    photos = FolderSurvey("x", {"a": 500, "b": 500}, ["train", "eval"], 1000, [], 0, (480, 300, 900), 1.8)
    on_gpu = {found.key: found.value for found in suggest(photos, gpu=True)}
    on_cpu = {found.key: found.value for found in suggest(photos, gpu=False)}
    assert on_gpu["model.image_size"] == 224
    assert on_cpu["model.image_size"] < 224
    assert "train.class_balance" not in on_cpu
    assert forecast_seconds(photos, on_cpu, gpu=False) > forecast_seconds(symbols, chosen, gpu=False)


@pytest.mark.parametrize(
    ("names", "flatness", "side", "flips"),
    [
        (("daisy", "rose"), 0.1, 32, True),  # small photographs are photographs
        (("daisy", "rose"), 0.1, 480, True),
        (("stop", "yield"), 0.5, 480, False),  # large drawings are drawings
        (("3", "7"), 0.1, 480, False),  # photographs of digits
        (("b", "d"), 0.5, 32, False),
    ],
)
def test_mirror_images_are_decided_by_content_and_names(names, flatness, side, flips):
    found = FolderSurvey("x", dict.fromkeys(names, 500), [], 1000, [], 0, (side, side, side), 1.0, flatness)
    (chosen,) = [one for one in suggest(found, gpu=False) if one.key == "train.augment.horizontal_flip"]
    assert chosen.value is flips


def test_real_photos_are_told_from_scans_at_any_size(tmp_path):
    photo, scan = load_sample_images().images[0], np.zeros((64, 64), np.uint8)
    scan[16:48, 28:36] = 255
    for side in (32, 300):
        for name, pixels in (("photo", photo), ("scan", scan)):
            image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
            image.save(tmp_path / f"{name}.jpg")
        levels = [flatness_of((tmp_path / f"{name}.jpg").read_bytes()) for name in ("photo", "scan")]
        assert levels[0] < FLATTEST_PHOTO < levels[1]


def test_the_forecast_follows_the_measured_pace():
    found = FolderSurvey("x", {"a": 500, "b": 500}, [], 1000, [], 0, (480, 300, 900), 1.8)
    chosen = {one.key: one.value for one in suggest(found, gpu=True)}
    assert forecast_seconds(found, chosen, gpu=True) is None
    fast, slow = (forecast_seconds(found, chosen, True, Pace(10.0, step, step / 3)) for step in (0.1, 1.0))
    steps = 750 / 32 * (chosen["train.epochs"] * 1.05 + 1.8)
    assert slow - fast == pytest.approx(0.9 * steps, rel=0.02)
    head = {one.key: one.value for one in suggest(found, gpu=False, start=StartingWeights("imagenet", "b0"))}
    assert forecast_seconds(found, head, False) < forecast_seconds(found, {**head, "train.epochs": 10}, False) / 2


@pytest.mark.network
@pytest.mark.slow
def test_the_forecast_rests_on_steps_of_this_machine(photos):
    done = CliRunner().invoke(app, ["init", str(photos), "--json"], env={"KERAS_HOME": "/nowhere"})
    assert done.exit_code == 0, done.output
    by_rule = json.loads(init(str(photos), "--json", "--force").stdout)["forecast_seconds"]
    assert json.loads(done.stdout)["forecast_seconds"] not in (None, by_rule)


@pytest.mark.network
def test_the_pace_of_a_head_alone_takes_no_training_step():
    settings = {"variant": "lite0", "image_size": 32, "weights": "none"}
    pace = measure_pace(settings, {"recipe": "finetune", "epochs": 0}, 2)
    assert pace.step == 0 < pace.answer
