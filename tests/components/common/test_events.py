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
    Warned,
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


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\r\n"])
def test_what_ends_a_line_to_some_ends_none_here(tmp_path, mark):
    path = tmp_path / "events"
    said = [Warned(f"class a{mark}b"), Warned("the next one")]
    with EventFile(path):
        for event in said:
            emit(event)
    assert list(read_events(path)) == said


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path):
    path = tmp_path / "events"
    path.write_text(to_line(ALL[3]) + "\n" + to_line(ALL[5])[:20])
    assert list(read_events(path)) == [ALL[3]]
    assert list(read_events(tmp_path / "none")) == []


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "Invented", "by": "a newer version"}', '{"kind": "RunEnded", "status": 0, "by": "a newer version"}',
        '["no event"]', "", "{", "3", "null", '{"kind": []}', '{"kind": "RunEnded"}', "\0" * 9, "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_event_of_this_version_is_passed_over(tmp_path, line):
    assert from_line(line) is None
    path = tmp_path / "events"
    path.write_text(f"{line}\n{to_line(ALL[3])}\n")
    assert list(read_events(path)) == [ALL[3]]


def test_the_log_has_the_message_in_words(caplog):
    caplog.set_level(logging.INFO, logger="effnet.events")
    report_progress("train: step 3/9", 3, 9)
    assert caplog.messages == ["train: step 3/9"]
