"""Whatever a file from outside holds, its reader ends soon, within 2 GB, with a value or with the error it promises."""

import io
import resource
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from components.common.errors import DataError
from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.damage import MOST_SCANS, ImageError
from components.image_example_gen.sources.csv_json_tables import NotARow, read_table
from pipeline.config.load import DEFAULT_PATH, load_config
from pipeline.config.model import ConfigError
from pipeline.config.yaml_text import MOST_BYTES, parse
from pipeline.run_lock import Holder, holder_of
from tests.faults.mutations import FUZZ, mutated
from tests.photos import encode

SHIPPED = DEFAULT_PATH.read_bytes()
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).resize((96, 72))
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000")
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{','.join([f'*{chr(97 + level)}'] * 9)}]\n" for level in range(12)
)
MANIFESTS = [
    b'path,label,split,group\na.jpg,daisy,train,1\n"b,c.jpg",rose,val,\n',
    b'{"path": "a.jpg", "label": "daisy"}\n{"path": "b,c.jpg", "label": "rose", "split": "val"}\n',
]


def encoded(image_format: str, **options: object) -> bytes:
    return encode(PHOTO, image_format, **options)


IMAGES = [
    *map(encoded, FORMATS),
    encoded("JPEG", progressive=True),
    encoded("PNG", interlace=1),
    encoded("TIFF", compression="lzma"),
]


@pytest.fixture(autouse=True)
def at_most_2_gb():
    """Address space beyond what this process has now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 1024**3, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@FUZZ
@given(st.one_of(mutated(IMAGES), st.binary(max_size=200)))
def test_images(data):
    try:
        image = normalise_image(data, max_pixels=1_000_000)
    except ImageError as error:
        assert error.reason and str(error)
    else:
        assert image.width * image.height <= 1_000_000


def test_a_jpeg_of_many_scans_is_refused_at_once():
    side = 3000
    content = io.BytesIO()
    Image.new("RGB", (side, side)).save(content, "JPEG", progressive=True)
    data = content.getvalue()
    last_tables = data.rindex(b"\xff\xc4", 0, data.rindex(b"\xff\xda"))
    bomb = data[:-2] + data[last_tables:-2] * 300 + data[-2:]
    started = time.process_time()
    with pytest.raises(ImageError, match=f"more than {MOST_SCANS} scans") as refused:
        normalise_image(bomb, max_pixels=50_000_000)
    assert refused.value.reason == "too_many_scans"
    assert time.process_time() - started < 1


@FUZZ
@given(st.one_of(mutated([SHIPPED]), st.binary(max_size=100)))
@example(BOMB.encode())
@example(b"[" * 100_000)
@example(b"{a: " * 20_000)
@example(b"- " * 5_000)
@example(b"? " * 5_000)
@example(b"a: &a [*a]")
@example(b"a: &a {*a : *a}")
@example(b"name: caf\xe9")
@example(b"\xff\xfen\x00a\x00m\x00e\x00")
@example(b"a: 2024-99-99")
@example(b"a: " + b"9" * 5000)
@example(b"a: !!timestamp x")
@example(b"a: !!python/object/apply:os.system [id]")
@example(b"x" * (MOST_BYTES + 1))
@example(b"name: a\n---\nname: b\n")
@example(b"name: a\nname: b\n")
@example(b"1: {2: 3}\nnull: x\n")
@example(b"data: {path: ~root/x}\nruns: [\n")
@example(b'data: {path: "\\0"}')
def test_pipeline_yaml(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)
    try:
        load_config(path)
    except ConfigError as error:
        assert "fuzzed.yaml" in str(error)
        assert len(str(error)) < 20_000


@FUZZ
@given(st.text(max_size=80))
@example("data.path=[" + "[" * 1000)
@example("data=" + BOMB.replace("\n", " "))
@example("train.epochs=" + "9" * 5000)
@example("data.path.x=1")
@example("model.image_size=1e400")
@example(".=1")
def test_overrides(text):
    try:
        load_config(DEFAULT_PATH, [text])
    except ConfigError as error:
        assert str(error)


def test_an_alias_that_is_no_bomb_stays():
    assert parse("a: &a [1, 2]\nb: *a\nc: {<<: {x: 1}, y: 2}\n", "x.yaml")["b"] == [1, 2]


@FUZZ
@given(mutated(MANIFESTS), st.sampled_from(["m.csv", "m.jsonl", "m.json"]))
def test_label_files(content, name):
    try:
        table = read_table(content, name)
    except DataError as error:
        assert name in str(error)
    else:
        assert all(isinstance(number, int) and isinstance(row, dict | NotARow) for number, row in table.rows)


@FUZZ
@given(st.one_of(mutated([b"17 2024-05-31T12:00:00+00:00 host"]), st.binary(max_size=40)))
@example(b"")
@example(b"17")
@example(b"x y z")
@example(b"\xff\xff")
@example(b"9" * 5000 + b" 2024-05-31T12:00:00+00:00")
def test_the_note_of_who_holds_a_lock(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    (folder / "run.holder").write_bytes(content)
    assert isinstance(holder_of(folder, "run"), Holder | None)


@pytest.fixture(scope="module")
def model():
    from trainer.efficientnet import build_efficientnet
    from trainer.scaling import Variant

    return build_efficientnet(Variant("tiny", 0.25, 0.25, 32, 0.2), 3, seed=0)


@pytest.fixture(scope="module")
def sound(model, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("weights")
    model.save_weights(folder / "sound.weights.h5")
    model.save(folder / "sound.keras")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def load(model, path: Path) -> str:
    from trainer.weights import load_weights

    started = time.process_time()
    try:
        load_weights(model, path)
    except ValueError as error:
        assert str(path) in str(error)
        assert time.process_time() - started < 10
        return str(error)
    return ""


@pytest.mark.network
@FUZZ
@given(st.data())
def test_mutated_weights(model, sound, tmp_path_factory, data):
    suffix = data.draw(st.sampled_from(sorted(sound)))
    path = tmp_path_factory.getbasetemp() / f"fuzzed{suffix}"
    path.write_bytes(data.draw(mutated([sound[suffix]])))
    load(model, path)


@pytest.mark.network
def test_an_archive_that_unpacks_to_gigabytes(model, tmp_path):
    path = tmp_path / "bomb.keras"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("model.weights.h5", "w", force_zip64=True) as file,
    ):
        for _ in range(1024):
            file.write(bytes(4 * 1024**2))
    assert path.stat().st_size < 6_000_000
    assert "unpack to 4,294,967,296 bytes" in load(model, path)


@pytest.mark.network
def test_a_dataset_that_claims_terabytes(model, sound, tmp_path):
    path = tmp_path / "claims.weights.h5"
    path.write_bytes(sound[".h5"])
    with h5py.File(path, "r+") as file:
        found: list[str] = []
        file.visit(lambda name: found.append(name) if name.endswith("vars/0") else None)
        shape = file[found[0]].shape
        del file[found[0]]
        file.create_dataset(found[0], shape=(10**6, 10**6), dtype="float32", chunks=(1000, 1000))
    assert "(1000000, 1000000)" in load(model, path) and str(shape) in load(model, path)


@pytest.mark.network
def test_a_dataset_whose_bytes_are_in_another_file(model, sound, tmp_path):
    path, other = tmp_path / "external.weights.h5", tmp_path / "secret"
    path.write_bytes(sound[".h5"])
    other.write_bytes(bytes(10_000_000))
    with h5py.File(path, "r+") as file:
        found: list[str] = []
        file.visit(lambda name: found.append(name) if name.endswith("vars/0") else None)
        shape = file[found[0]].shape
        del file[found[0]]
        size = int(np.prod(shape)) * 4
        file.create_dataset(found[0], shape=shape, dtype="float32", external=[(str(other), 0, size)])
    assert "is in another file" in load(model, path)
