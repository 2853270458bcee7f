"""The quick-start images."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from data import quickstart
from data.quickstart import build_quickstart


def bytes_of(root: Path) -> dict[str, str]:
    paths = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    return build_quickstart(tmp_path_factory.mktemp("data") / "new" / "digits")


def test_every_scan_lies_in_the_folder_of_its_digit(digits):
    targets = load_digits().target
    images = {path.name: path.parent.name for path in digits.glob("*/*.png")}
    assert len(images) == 1797
    assert all(images[f"scan-{number:04d}.png"] == str(digit) for number, digit in enumerate(targets))


def test_images_are_eight_bit_gray_and_show_the_scan(digits):
    image = Image.open(digits / "3" / "scan-0003.png")
    assert (image.mode, image.size) == ("L", (32, 32))
    np.testing.assert_allclose(np.asarray(image)[::4, ::4] / 255 * 16, load_digits().images[3], atol=0.04)


def test_the_bytes_are_the_same_each_time(digits, tmp_path):
    assert bytes_of(build_quickstart(tmp_path / "again")) == bytes_of(digits)


def test_a_second_call_leaves_the_images_alone(digits):
    before = {path: path.stat().st_mtime_ns for path in digits.rglob("*")}
    build_quickstart(digits)
    assert {path: path.stat().st_mtime_ns for path in digits.rglob("*")} == before


def test_an_interrupted_call_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    def fail(folder: Path) -> None:
        (folder / "3").mkdir()
        (folder / "3" / "scan-0000.png").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(quickstart, "_write_scans", fail)
    with pytest.raises(KeyboardInterrupt):
        build_quickstart(tmp_path / "digits")
    assert list(tmp_path.iterdir()) == []


def test_another_folder_is_not_overwritten(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(FileExistsError, match="0 quick-start images, expected 1797"):
        build_quickstart(tmp_path)
