"""Steps that count as done are on the disk, damaged ones are made again, and runs are told apart by their ids."""

import logging
import os
import sqlite3
from pathlib import Path

import pytest

from pipeline.history.metadata import all_runs, find_run, note_seconds, run_of_id

pytestmark = pytest.mark.tfx


@pytest.fixture
def run(tmp_path):
    """Run two steps, the second of which copies the first one's schema: run() gives the run's record."""
    from pipeline.execution.local_run import new_run_id, run_locally
    from tests.pipeline.execution.two_steps import make_pipeline

    def apply():
        run_id = new_run_id()
        run_locally(make_pipeline(tmp_path), run_id)
        return run_of_id(tmp_path / "metadata.sqlite", run_id)

    return apply


def cached(record) -> list[bool]:
    return [record.steps[name].cached for name in ("Writer", "Copier")]


def test_what_is_whole_comes_from_the_cache_and_what_is_damaged_is_made_again(run, caplog):
    first = run()
    assert cached(first) == [False, False]
    assert cached(run()) == [True, True]
    schema = Path(first.output("Writer", "schema"), "schema.pbtxt")
    schema.write_text("")
    caplog.set_level(logging.INFO)
    after = run()
    assert cached(after) == [False, False], "the new schema is another artifact"
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("damaged")]
    assert said == [f"damaged, is made again: {schema.parent}: schema.pbtxt has 0 bytes, expected 25"]
    assert cached(run()) == [True, True]


def test_a_copy_alone_that_was_changed_is_made_again(run):
    copy = Path(run().output("Copier", "copy"), "schema.pbtxt")
    time = copy.stat().st_mtime_ns
    copy.write_bytes(copy.read_bytes().replace(b"image", b"IMAGE"))
    os.utime(copy, ns=(time, time))
    record = run()
    assert cached(record) == [True, False]
    assert "image" in Path(record.output("Copier", "copy"), "schema.pbtxt").read_text()


def test_a_step_whose_outputs_cannot_be_synced_is_not_done(run, monkeypatch, tmp_path):
    def fail(uri):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pipeline.execution.local_run.seal", fail)
    with pytest.raises(OSError, match="Input/output"):
        run()
    (record,) = all_runs(tmp_path / "metadata.sqlite")
    assert record.undone == ["Writer"]
    monkeypatch.undo()
    assert cached(run()) == [False, False]


def test_runs_are_in_the_order_of_their_ids_whatever_the_clock_said(run, tmp_path):
    first, second = run(), run()
    database = tmp_path / "metadata.sqlite"
    with sqlite3.connect(database) as store:  # ML Metadata sets the times itself
        hours = 3 * 3600 * 1000
        store.execute(
            "UPDATE Context SET create_time_since_epoch = create_time_since_epoch - ? WHERE name = ?",
            (hours, second.run_id),
        )
    assert [record.run_id for record in all_runs(database)] == [first.run_id, second.run_id]
    assert find_run(database, None).run_id == second.run_id
    note_seconds(database, second.run_id, 12.5)
    assert [record.seconds == 12.5 for record in all_runs(database)] == [False, True]
    note_seconds(database, "never began", 1.0)
