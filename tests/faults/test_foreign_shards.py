"""Shards, archives, tables and our own records with any bytes in them: each is read or named, within its bounds."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import DamagedRecord, DataError
from components.common.events import Progress, read_events, to_line
from components.image_example_gen.sources.csv_json_tables import read_table
from components.image_example_gen.sources.listing import FileEntry, Listing, Rejected
from components.image_example_gen.sources.shard_reading import read_shard
from components.image_example_gen.sources.shards import Found
from components.image_example_gen.sources.zip_archive import open_archives, read_member
from components.served_model.record import RECORD_FILE, PushRecord, read_record, write_record
from components.served_model.versions import pushed_models
from components.tuner.drift import HISTORY_FILE, drift_since
from tests.components.image_example_gen.sources.test_shards import example, tfrecord
from tests.faults.mutations import FUZZ, mutated
from tests.faults.test_foreign_bytes import at_most_2_gb  # noqa: F401 - a fixture

MOST_BYTES = 1_000_000
LABELS = ("daisy", "rose")


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, bytes]:
    """A shard of each kind, by its name."""
    folder = tmp_path_factory.mktemp("sound")
    tfrecord(folder / "a.tfrecord", [example(image=b"pixels", label=name.encode()) for name in LABELS])
    tfrecord(folder / "b.tfrecord.gz", [example(image=b"pixels", label=3)], "GZIP")
    with tarfile.open(folder / "c.tar", "w") as tar, zipfile.ZipFile(folder / "d.zip", "w") as archive:
        for number, label in enumerate(LABELS):
            for name, content in ((f"{number}.jpg", b"pixels"), (f"{number}.cls", label.encode())):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            archive.writestr(f"{label}/{number}.jpg", b"pixels" * 9, zipfile.ZIP_DEFLATED)
    rows = {"image": [{"bytes": b"pixels", "path": "x.jpg"}] * 2, "label": list(LABELS)}
    pq.write_table(pa.table(rows), folder / "e.parquet")
    pq.write_table(pa.table({"file_name": ["a.jpg", "b.jpg"], "label": list(LABELS)}), folder / "metadata.parquet")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@FUZZ
@given(st.data(), st.sampled_from(["a.tfrecord", "b.tfrecord.gz", "c.tar", "e.parquet"]))
def test_shards(sound, tmp_path_factory, data, name):
    root = tmp_path_factory.getbasetemp() / "shards"
    root.mkdir(exist_ok=True)
    (root / name).write_bytes(data.draw(mutated([sound[name]])))
    for item in read_shard(str(root), name, {}, str(root / "unpacked"), MOST_BYTES):
        assert isinstance(item, Found) or (isinstance(item, Rejected) and item.reason and item.message)


@FUZZ
@given(st.data())
def test_archives(sound, tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp()
    content = data.draw(mutated([sound["d.zip"]]))
    (root / "d.zip").write_bytes(content)
    opened = open_archives(Listing([FileEntry("d.zip", len(content), 0)], [], []), str(root))
    for path, member in opened.members.items():
        assert ".." not in path.split("/")
        try:
            assert len(read_member(member, MOST_BYTES)) <= MOST_BYTES
        except OSError as error:
            assert str(error)


@FUZZ
@given(st.data())
def test_tables_in_parquet(sound, data):
    try:
        read_table(data.draw(mutated([sound["metadata.parquet"]])), "metadata.parquet")
    except DataError as error:
        assert "metadata.parquet" in str(error)


@FUZZ
@given(st.data())
def test_the_note_of_a_pushed_version(tmp_path_factory, data):
    push = tmp_path_factory.getbasetemp() / "push"
    write_record(str(push / "7"), PushRecord("2024-05-31T12:00:00+00:00", 0.9, "/a", "6", ("ab" * 32,)))
    (push / "7" / "saved_model.pb").write_bytes(b"graph")
    path = push / "7" / RECORD_FILE
    path.write_bytes(data.draw(mutated([path.read_bytes()])))
    (model,) = pushed_models(str(push))
    try:
        assert read_record(str(push / "7")) == model.record
    except DamagedRecord:
        assert model.record_is_lost and RECORD_FILE in model.problem


@FUZZ
@given(st.data())
def test_the_tuner_s_history(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp()
    profile = {"label": {"cat": 5, "dog": 5}, "brightness": {"3": 10}}
    entry = {"searched": True, "source": "best/1", "values": {"dropout": 0.2}, "profile": profile}
    Path(root, HISTORY_FILE).write_bytes(data.draw(mutated([json.dumps([entry]).encode()])))
    assert all(0 <= value <= 1 for value in drift_since(str(root), profile).values())


@FUZZ
@given(st.data())
def test_events_of_another_process(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "events"
    path.write_bytes(data.draw(mutated([f"{to_line(Progress('half', 1, 2, None))}\n".encode() * 3])))
    for event in read_events(path):
        assert str(event) is not None
