"""The stream of events that processes hear of one another by."""

import logging

import pytest

from components.common import events
from components.common.events import (
    EventFile,
    Progress,
    RunEnded,
    StepEnded,
    StepStarted,
    emit,
    from_line,
    read_events,
    report_progress,
    to_line,
)

ALL = [
    Progress("37 % of \u00fcmlauts\nand lines", 3, 9, [["trial", "score"], ["1", "0.5"]]),
    Progress("no numbers"),
    events.Done("one is done"),
    StepStarted("Trainer"),
    StepEnded("Trainer", cached=True),
    RunEnded(3, 'refused: "quoted"'),
]


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_an_event_is_one_line_and_comes_back_as_it_was(event):
    assert "\n" not in to_line(event)
    assert from_line(to_line(event)) == event


def test_a_file_takes_the_events_of_every_process_in_their_order(tmp_path):
    path = tmp_path / "events"
    with EventFile(path):
        for event in ALL:
            emit(event)
    assert list(read_events(path)) == ALL


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path):
    path = tmp_path / "events"
    path.write_text(to_line(ALL[3]) + "\n" + to_line(ALL[5])[:20])
    assert list(read_events(path)) == [ALL[3]]
    assert list(read_events(tmp_path / "none")) == []


def test_an_event_of_a_newer_version_is_passed_over_and_a_line_that_is_none_is_an_error():
    assert from_line('{"kind": "Invented", "by": "a newer version"}') is None
    with pytest.raises(ValueError, match="expected an event"):
        from_line('["no event"]')


def test_the_log_has_the_message_in_words(caplog):
    caplog.set_level(logging.INFO, logger="effnet.events")
    report_progress("train: step 3/9", 3, 9)
    assert caplog.messages == ["train: step 3/9"]
