"""Fixtures: pictures in any format, and folders of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import photos

WIDTH, HEIGHT = 48, 32


@pytest.fixture
def picture() -> Image.Image:
    """An RGB picture of 48 x 32 px in which no two corners look alike."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = [columns * 255 // (WIDTH - 1), rows * 255 // (HEIGHT - 1), np.full_like(rows, 96)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Encode a picture: encode(picture, "JPEG", quality=90)."""
    return photos.encode


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """Write files: make_tree({"cat/1.png": b"..."}) returns the folder that holds them."""

    def apply(contents: dict[str, bytes], name: str = "images") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path, content in contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root

    return apply


@pytest.fixture(scope="session")
def in_memory_beam():
    """Run Beam pipelines in this process.

    Beam 2.72's default runner first tries to download another one.
    """
    from apache_beam.options.pipeline_options import StandardOptions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StandardOptions, "DEFAULT_RUNNER", "apache_beam.runners.portability.fn_api_runner.FnApiRunner")
        yield


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The quick-start images."""
    from data.quickstart import build_quickstart

    return build_quickstart(tmp_path_factory.mktemp("quickstart") / "digits")
