"""`effnet predict FOLDER --csv`: every file has its row, a stopped table goes on, and only batches are in memory."""

import csv
import json
import os

import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.serving import batches
from pipeline.serving.answer_table import COLUMNS, AnswerTable
from pipeline.serving.classifier import Answer, read_for_model
from tests.onnx_model import brightness_network, write_version

CLASSES = ["dark", "gray", "light"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A pushed model that tells how bright an image is."""
    home = tmp_path_factory.mktemp("model") / "served"
    write_version(home, 1, CLASSES, network=brightness_network([0.0, 128.0, 255.0]))
    return home


@pytest.fixture(scope="module")
def knowing(tmp_path_factory):
    """The same model, which knows what it sees where a class has more than .9 of the probability."""
    home = tmp_path_factory.mktemp("knowing") / "served"
    write_version(home, 1, CLASSES, network=brightness_network([0.0, 128.0, 255.0]), known=0.9)
    return home


@pytest.fixture
def photos(tmp_path):
    """Ten images at several depths, one that is cut, and files that are none."""
    folder = tmp_path / "photos"
    for number in range(10):
        path = folder / ("deep/er" if number % 2 else "") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number * 28,) * 3).save(path)
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("x")
    (folder / ".DS_Store").write_bytes(b"x")
    return folder


def predict(served, *arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments), "--set", f"push.path={served}"])


def rows_of(path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_every_image_has_its_row_and_so_has_what_cannot_be_read(served, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_IMAGES", 3)
    done = predict(served, photos, "--csv", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    assert "11 images, 1 of them unreadable; 2 other files skipped" in done.output
    rows = rows_of(tmp_path / "out.csv")
    assert list(rows) == sorted(rows) and len(rows) == 11
    first, middle = rows[str(photos / "00.png")], rows[str(photos / "deep/er/05.png")]
    assert (first["class"], first["second class"], first["error"]) == ("dark", "gray", "")
    assert float(first["probability"]) > float(first["its probability"]) > 0
    assert middle["class"] == "gray"
    assert rows[str(photos / "cut.jpg")]["class"] == "" and rows[str(photos / "cut.jpg")]["error"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "photos"]

    again = predict(served, photos, "--csv", tmp_path / "out.csv")
    assert "--force" in str(again.exception)
    counts = json.loads(predict(served, photos, "--csv", tmp_path / "out.csv", "--force", "--json").stdout)
    assert (counts["images"], counts["unreadable"]) == (11, 1)


def test_json_and_the_screen_have_the_same_answers(served, photos):
    answers = json.loads(predict(served, photos, "--json").stdout)
    assert len(answers) == 11
    assert sum(answer["error"] is not None for answer in answers) == 1
    assert all(set(answer["probabilities"]) == set(CLASSES) for answer in answers if not answer["error"])
    shown = predict(served, photos, photos / "00.png").output
    assert shown.count("00.png") == 2 and "cut.jpg" in shown


def test_what_the_model_knows_is_in_every_form_of_the_answers(knowing, served, tmp_path):
    for name, level in (("black", 0), ("between", 64)):
        Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / f"{name}.png")
    images = [tmp_path / "black.png", tmp_path / "between.png", tmp_path / "none.png"]
    answers = json.loads(predict(knowing, *images, "--json").stdout)
    assert [answer["known"] for answer in answers] == [True, False, None]
    assert answers[0]["probability"] > 0.9 > answers[1]["probability"]
    table = predict(knowing, *images).output
    assert "known" in table and "yes" in table and "no" in table
    lines = predict(knowing, tmp_path).output.splitlines()
    assert [line.endswith("not known") for line in lines] == [True, False]
    predict(knowing, tmp_path, "--csv", tmp_path / "out.csv")
    assert {row["known"] for row in rows_of(tmp_path / "out.csv").values()} == {"yes", "no"}
    predict(served, tmp_path, "--csv", tmp_path / "plain.csv")
    assert next(csv.reader((tmp_path / "plain.csv").open())) == list(COLUMNS)
    assert json.loads(predict(served, images[0], "--json").stdout)[0]["known"] is None
    assert "known" not in predict(served, images[0]).output


def test_a_name_that_is_no_text_has_its_row_and_is_resumed(served, tmp_path, monkeypatch):
    names = [b"caf\xe9.png", b"caf\\xe9.png", b"new\nline.png", b"plain.png"]  # the first is shown as the second is
    images = [os.path.join(tmp_path, os.fsdecode(name)) for name in names]  # noqa: PTH118
    for path in images:
        with open(path, "wb") as file:  # noqa: PTH123
            Image.new("RGB", (8, 8)).save(file, "PNG")
    answers = json.loads(predict(served, *images, "--json").stdout)
    assert [answer["path"] for answer in answers] == images
    assert predict(served, *images).output.count("dark") == 4
    listed = json.loads(predict(served, tmp_path, "--json").stdout)  # below a folder they are named and refused
    assert sorted(answer["error"] or "" for answer in listed) == ["", "", "", "the name is not UTF-8: rename the file"]

    whole = batches.answer_all
    monkeypatch.setattr(batches, "BATCH_IMAGES", 1)

    def stop_after_one(load, images, max_pixels):
        yield next(whole(load, images, max_pixels))
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.serving.folder.answer_all", stop_after_one)
    assert predict(served, *images, "--csv", tmp_path / "out.csv").exit_code != 0
    monkeypatch.setattr("pipeline.serving.folder.answer_all", whole)
    assert "3 images, " in predict(served, *images, "--csv", tmp_path / "out.csv").output
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["class"] for row in csv.DictReader(file)] == ["dark"] * 4


def test_a_film_is_refused_by_its_size_and_a_pipe_is_read_no_further_than_an_image(served, tmp_path):
    with (tmp_path / "film.mkv").open("wb") as file:
        file.truncate(2**40)  # a hole: to read it would end this process
    for arguments in ([tmp_path / "film.mkv"], [tmp_path / "film.mkv", tmp_path, "--set", "data.max_pixels=1024"]):
        done = predict(served, *arguments)
        assert done.exit_code == 1
        assert "1,099,511,627,776 bytes are too many for an image" in done.output
    answer = read_for_model("/dev/zero", max_pixels=1000)
    assert answer == "16,008,001 bytes are too many for an image"


@pytest.mark.parametrize("torn", ["", "photos/x", "photos/x,dark,0.9", 'photos/x,,,,,"half an er'])
def test_a_stopped_table_goes_on_where_it_was(torn, served, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_IMAGES", 4)
    asked = {}

    def stop_after_two(classifier, images, max_pixels, whole=batches.answer_all):
        asked["images"] = [image.path for image in images]
        for number, batch in enumerate(whole(classifier, images, max_pixels)):
            if number == 2 and asked.get("stop"):
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr("pipeline.serving.folder.answer_all", stop_after_two)
    asked["stop"] = True
    assert predict(served, photos, "--csv", tmp_path / "out.csv").exit_code != 0
    assert not (tmp_path / "out.csv").exists()
    (partial,) = tmp_path.glob("out.csv.*.partial")
    with partial.open("a") as file:
        file.write(torn)
    asked["stop"] = False
    done = predict(served, photos, "--csv", tmp_path / "out.csv")
    assert "3 images, " in done.output and "8 taken over from before" in done.output
    assert len(asked["images"]) == 3
    assert len(rows_of(tmp_path / "out.csv")) == 11


def test_no_table_mixes_the_answers_of_two_models(tmp_path):
    answer = Answer("a", {"a": 0.7, "b": 0.3})
    with pytest.raises(KeyboardInterrupt), AnswerTable(tmp_path / "out.csv", "one", ["x"]) as table:
        table.add([("1.png", answer)])
        raise KeyboardInterrupt
    with AnswerTable(tmp_path / "out.csv", "two", ["x"]) as table:
        assert table.left(["1.png"]) == [0]
    with AnswerTable(tmp_path / "again.csv", "one", ["x"]) as table:
        assert table.left(["1.png"]) == [0]
    assert (tmp_path / "again.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_only_a_few_batches_are_read_ahead(photos, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_IMAGES", 2)
    read = []
    monkeypatch.setattr(batches, "read_for_model", lambda path, max_pixels: read.append(path) or b"x")

    class Slow:
        def answer(self, images):
            assert len(images) <= 2
            return [Answer("a", {"a": 1.0, "b": 0.0}) for _ in images]

    images, _ = batches.find_images([str(photos)])
    for number, batch in enumerate(batches.answer_all(Slow, images, 10**6)):
        assert len(read) <= 2 * (number + 2)
        assert all(isinstance(answer, Answer) for _, answer in batch)
    assert len(read) == 11
