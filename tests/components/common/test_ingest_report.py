"""The report can be read back, and a damaged one is no report."""

import pytest

from components.common.errors import DataError
from components.common.ingest_report import (
    IngestSummary,
    read_classes,
    read_quarantine,
    read_summary,
    write_report,
)

CLASSES = ["chat", "été", 'quo"te']
QUARANTINE = [{"path": "été/1.png", "reason": "truncated", "message": "line\nbreak \u2028 too"}]
SUMMARY = IngestSummary(root="/images", fingerprint="f", found=2, written={"train": {"chat": 1}}, warnings=["w"])


def test_a_report_reads_as_it_was_written(tmp_path):
    write_report(str(tmp_path), CLASSES, QUARANTINE, SUMMARY)
    assert read_classes(str(tmp_path)) == CLASSES
    assert read_quarantine(str(tmp_path)) == QUARANTINE
    assert read_summary(str(tmp_path)) == SUMMARY


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[1, 2]", "[[]]"])
def test_a_damaged_report_is_an_error(tmp_path, content):
    for name in ("classes.json", "summary.json"):
        (tmp_path / name).write_text(content)
    for read in (read_classes, read_summary):
        with pytest.raises(DataError, match="run the ingest again"):
            read(str(tmp_path))


def test_a_missing_report_is_an_error_that_names_the_file(tmp_path):
    for read, name in [(read_classes, "classes"), (read_quarantine, "quarantine"), (read_summary, "summary")]:
        with pytest.raises(DataError, match=name):
            read(str(tmp_path))
