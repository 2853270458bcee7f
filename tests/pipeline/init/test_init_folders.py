"""`effnet init` on folders as people have them: what it took them for, and where it has to ask."""

import io
import json
import shlex
import tarfile

import pytest
from PIL import Image
from sklearn.datasets import load_sample_images
from typer.testing import CliRunner

from components.image_example_gen.sources.groups import suggest_pattern
from components.image_example_gen.sources.plan import ImageFile
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule
from pipeline.cli import app
from pipeline.config.load import load_config


@pytest.fixture(scope="module")
def tiles() -> list[bytes]:
    """Forty pictures, no two of them alike."""
    found = []
    for photo in load_sample_images().images:
        for tile in range(20):
            row, column = divmod(tile, 5)
            buffer = io.BytesIO()
            pixels = photo[row * 100 : row * 100 + 100, column * 120 : column * 120 + 120]
            Image.fromarray(pixels).save(buffer, "JPEG")
            found.append(buffer.getvalue())
    return found


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The shell's folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, contents: dict[str, bytes]):
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def init(*arguments: str):
    return CliRunner().invoke(
        app, ["init", "--no-measure", *arguments], env={"COLUMNS": "200", "KERAS_HOME": "/nowhere"}
    )


def test_it_says_which_reading_it_took_and_shows_three_rows(home, tiles):
    rows = "".join(f"./p//{number},{'ab'[number % 2]}\n" for number in range(40)).replace(",", ";")
    write(home / "photos", {f"p/{number}.jpg": tile for number, tile in enumerate(tiles)})
    (home / "photos/names.csv").write_text("Image;kind\n" + rows)
    failed = init("photos")
    assert failed.exit_code and "columns Image, kind" in str(failed.exception)
    done = init("photos", "--label-column", "kind")
    assert done.exit_code == 0, done.output
    assert "names.csv: CSV with semicolons, the image in Image, the class in kind" in done.output
    assert "p/0.jpg: a" in done.output
    settings = load_config()
    assert settings.data.label_column == "kind"
    plan = find_source(settings.data.path, SpanRule(), settings.data.reading).plan()
    assert (len(plan.images), plan.classes) == (40, ["a", "b"])


def test_two_readings_are_shown_with_their_counts_and_nothing_is_written(home, tiles):
    write(
        home / "photos", {f"{'ns'[n % 2]}/{'cat' if n < 20 else 'dog'}/{n}.jpg": tile for n, tile in enumerate(tiles)}
    )
    done = init("photos")
    assert done.exit_code == 2
    assert "2 classes, the top folders (n 20, s 20)" in done.output
    assert "the folders below them; n is no split, s is no split (cat 20, dog 20)" in done.output
    assert not (home / "pipeline.yaml").exists()
    readings = json.loads(init("photos", "--json").stdout)["readings"]
    assert [reading["layout"] for reading in readings] == ["classes", "splits"]
    assert init("photos", "--layout", "splits").exit_code == 0
    assert load_config().data.layout == "splits"


def test_a_folder_s_name_does_not_steer_the_terminal_and_the_command_to_type_is_quoted(home, tiles):
    name = "it's \x1b[2J here"
    write(home / name, {f"{'ns'[n % 2]}/{'cat' if n < 20 else 'dog'}/{n}.jpg": tile for n, tile in enumerate(tiles)})
    shown = init(name).output
    assert "can be read in 2 ways" in shown and "\x1b" not in shown
    command = next(line for line in shown.splitlines() if "--layout splits" in line)
    assert shlex.split(command)[2] == name.replace("\x1b", r"\x1b")


def test_it_reads_a_bounded_part_of_shards(home, tiles, monkeypatch):
    monkeypatch.setattr("pipeline.init.shard_sample.MOST_SHARDS", 2)
    for shard in range(4):
        with tarfile.open(home / f"{shard}.tar", "w") as archive:
            for number, tile in enumerate(tiles[shard::4]):
                for name, content in ((f"{number}.jpg", tile), (f"{number}.cls", b"ab"[number % 2 :][:1])):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    done = init(".")
    assert done.exit_code == 0, done.output
    assert "4 shards: 4 tar" in done.output
    assert "20 images of 2 of 4 shards" in done.output
    found = json.loads(init(".", "--json", "--force").stdout)["found"]
    assert 36 <= sum(found["classes"].values()) <= 44, "what was not read is estimated"


def test_a_table_whose_class_column_nobody_knows_is_named_beside_the_folders(home, tiles):
    write(home / "photos", {f"part_{n % 2}/{n}.jpg": tile for n, tile in enumerate(tiles)})
    (home / "photos/metadata of scans.csv").write_text("image_id,dx\n" + "".join(f"{n},{n % 3}\n" for n in range(40)))
    done = init("photos")
    assert "got metadata of scans.csv with the columns image_id, dx, expected one with its class" in done.output
    assert "in 3 classes" in init("photos", "--label-column", "dx", "--force").output


def test_a_class_without_eval_images_is_named(home, tiles):
    kinds = {f"train/{'abc'[n % 3]}/{n}.jpg": tile for n, tile in enumerate(tiles[:30])}
    kinds |= {f"test/{'ab'[n % 2]}/{n}.jpg": tile for n, tile in enumerate(tiles[30:])}
    write(home / "photos", kinds)
    assert "classes without eval images, which nothing judges: c" in init("photos").output


def test_a_folder_without_one_good_image_gets_no_pipeline(home):
    write(home / "photos", {f"{name}/{number}.jpg": b"no image" for name in "ab" for number in range(6)})
    done = init("photos")
    assert done.exit_code and "12 files, none of them readable as an image (a/0.jpg: " in str(done.exception)
    assert not (home / "pipeline.yaml").exists()


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("patient{group}_{number}.jpg", r"(patient\d+)"),
        ("x-Subject_{group}/{number}.png", r"(Subject_\d+)"),
        ("IMG_{number}.jpg", ""),
        ("patient_{number}.jpg", ""),
        ("cat{group}_{number}.jpg", ""),
    ],
)
def test_groups_in_file_names_are_suggested_where_there_are_some(name, pattern):
    paths = [name.format(group=number // 5, number=number) for number in range(40)]
    assert suggest_pattern([ImageFile(f"{'ab'[n % 2]}/{path}", 1, 0, "") for n, path in enumerate(paths)]) == pattern


def test_the_suggested_pattern_keeps_patients_together(home, tiles):
    write(home / "photos", {f"{'ab'[n // 4 % 2]}/patient{n // 4}_{n}.jpg": tile for n, tile in enumerate(tiles)})
    assert init("photos").exit_code == 0
    settings = load_config()
    plan = find_source(settings.data.path, SpanRule(), settings.data.reading).plan()
    assert len({image.group for image in plan.images}) == 10
    assert all(image.group in image.path for image in plan.images)
