"""Every file of a hostile folder is decoded as a person sees it, or quarantined by name and reason."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from components.common.ingest_report import read_quarantine, read_summary
from tests.components.hostile import MAX_PIXELS, hostile_files
from tests.components.image_example_gen.test_ingest_tfx import ingest, read_examples, value  # noqa: F401 - ingest is a fixture

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]


def make_unreadable(folder: Path) -> dict[str, str]:
    """Adds what cannot be written as plain bytes; returns name -> reason."""
    os.mkfifo(folder / "pipe.png")
    (folder / "round").symlink_to(folder)
    (folder / "itself.png").symlink_to(folder / "itself.png")
    (folder / "gone.png").symlink_to(folder / "nowhere")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(b"x")
    names = ["pipe.png", "round/", "itself.png", "gone.png", r"caf\xe9.png"]
    if os.geteuid() != 0:  # root may read everything
        (folder / "secret.png").write_bytes(b"x")
        (folder / "secret.png").chmod(0)
        names.append("secret.png")
    return dict.fromkeys(names, "unreadable")


def test_every_hostile_file_is_decoded_rightly_or_named(make_tree, ingest, digits):  # noqa: F811
    import tensorflow as tf

    photo = Image.fromarray(load_sample_images().images[1]).resize((320, 214))
    files = {f"photo/{file.path}": file for file in hostile_files(photo)}
    root = make_tree({path: file.content for path, file in files.items()})
    make_tree({f"digit/{path.name}": path.read_bytes() for path in sorted(digits.glob("0/*.png"))[:20]})
    reasons = {f"photo/{name}": reason for name, reason in make_unreadable(root / "photo").items()}
    reasons |= {path: file.reason for path, file in files.items() if file.reason}
    assert len(files) + len(reasons) >= 40

    artifact, report = ingest(root, max_pixels=MAX_PIXELS)
    assert {line["path"]: line["reason"] for line in read_quarantine(report)} == reasons
    assert all(line["message"] for line in read_quarantine(report))
    summary = read_summary(report)
    assert summary.found == summary.examples + sum(summary.quarantined.values())

    decoded = {
        value(example, "path").decode(): value(example, "image")
        for examples in read_examples(artifact.uri).values()
        for example in examples
    }
    for path, file in files.items():
        if file.picture is not None:
            pixels = tf.io.decode_image(decoded[path], channels=3, expand_animations=False).numpy().astype(int)
            seen = np.asarray(file.picture.convert("RGB")).astype(int)
            assert pixels.shape == seen.shape, path
            assert np.abs(pixels - seen).mean() < 4, path  # JPEG at quality 95, on a photograph
