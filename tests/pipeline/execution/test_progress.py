"""What the screen shows of a run that logs thousands of lines."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from components.common.events import (
    Progress,
    RunEvent,
    StepEnded,
    StepStarted,
    Warned,
    emit,
    report_done,
    report_progress,
)
from pipeline.execution.progress import StepDisplay, TrainingDisplay
from pipeline.terminal import make_console


def shown(*events: RunEvent) -> list[str]:
    screen = io.StringIO()
    with StepDisplay(make_console(file=screen, width=200), ["Trainer", "Pusher"]):
        for event in events:
            emit(event)
    return screen.getvalue().splitlines()


def test_a_step_is_one_line_with_its_number_and_time():
    (line,) = shown(StepStarted("Pusher"), StepEnded("Pusher", cached=False))
    assert line.startswith("[ 2/2] Pusher")
    assert line.endswith("0 s")


def test_a_cached_step_says_so_and_the_next_one_does_not():
    lines = shown(
        StepStarted("Trainer"),
        StepEnded("Trainer", cached=True),
        StepStarted("Pusher"),
        StepEnded("Pusher", cached=False),
    )
    assert lines[0].endswith("from cache")
    assert lines[1].endswith("0 s")


def test_markup_in_a_message_is_text():
    assert shown(Progress("ingest: [red]/[1] files")) == ["        ingest: [red]/[1] files"]


def test_a_warning_stays_on_the_screen():
    lines = shown(StepStarted("Trainer"), Warned("[x] is odd"))
    assert lines[-1] == "        warning: [x] is odd"


ROWS = [["trial", "dropout"], ["1", "0.2"], ["2", "[red]0.3"]]


def with_table(console: Console) -> None:
    with StepDisplay(console, ["Tuner"]):
        emit(StepStarted("Tuner"))
        for trial in ("1", "2"):
            report_progress(f"trial {trial} ended", table=ROWS)
        emit(StepEnded("Tuner", cached=False))


def test_a_table_is_drawn_on_a_terminal():
    screen = io.StringIO()
    with_table(make_console(file=screen, width=100, force_terminal=True))
    assert all(text in screen.getvalue() for text in ("trial", "dropout", "[red]0.3", "trial 2 ended"))


def test_elsewhere_each_message_with_a_table_is_a_line():
    screen = io.StringIO()
    with_table(make_console(file=screen, width=100))
    assert [line.strip() for line in screen.getvalue().splitlines()[:2]] == ["trial 1 ended", "trial 2 ended"]


def test_output_of_libraries_goes_to_the_log_and_only_the_console_shows(tmp_path):
    program = (
        "import os, sys, pathlib\n"
        "from pipeline.execution.progress import quiet_output\n"
        "with quiet_output(pathlib.Path(sys.argv[1])) as console:\n"
        "    print('printed')\n"
        "    os.write(2, b'from C++\\n')\n"
        "    console.print('shown')\n"
        "print('after')\n"
    )
    log = tmp_path / "folder" / "run.log"
    done = subprocess.run(
        [sys.executable, "-c", program, str(log)], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout == "shown\nafter\n"
    assert done.stderr == ""
    assert "printed" in log.read_text()
    assert "from C++" in log.read_text()


def test_on_a_terminal_a_bar_follows_the_images_and_leaves_one_line():
    screen = io.StringIO()
    console = make_console(file=screen, width=200, force_terminal=True)
    with StepDisplay(console, ["Trainer"]) as display:
        emit(StepStarted("Trainer"))
        report_progress("39 images/s in trial 2/3", 5, 20)
        task = display.bar.tasks[0]
        assert (task.completed, task.total) == (5, 20)
        assert "39 images/s" in task.fields["detail"]
        emit(StepEnded("Trainer", cached=False))
        assert display.bar is None
    assert "[ 1/1] Trainer" in screen.getvalue().splitlines()[-1]


def test_verbose_shows_what_is_logged_and_keeps_it_too(tmp_path):
    program = (
        "import logging, sys, pathlib\n"
        "from pipeline.execution.progress import quiet_output\n"
        "with quiet_output(pathlib.Path(sys.argv[1]), verbose=True) as console:\n"
        "    logging.getLogger('anything').info('logged')\n"
    )
    log = tmp_path / "run.log"
    done = subprocess.run([sys.executable, "-c", program, str(log)], capture_output=True, text=True, check=True)
    assert done.stdout == "logged\n"
    assert "logged" in log.read_text()


def test_verbose_shows_a_traceback_without_its_secrets_and_codes(tmp_path):
    program = (
        "import logging, sys, pathlib\n"
        "from pipeline.config.secrets import remember_secrets\n"
        "from pipeline.execution.progress import quiet_output\n"
        "remember_secrets({'password': 'q7k2' * 5})\n"
        "with quiet_output(pathlib.Path(sys.argv[1]), verbose=True):\n"
        "    try:\n"
        "        raise OSError('q7k2' * 5 + chr(27) + '[2J refused')\n"
        "    except OSError:\n"
        "        logging.getLogger('anything').exception('the run failed')\n"
    )
    log = tmp_path / "run.log"
    done = subprocess.run([sys.executable, "-c", program, str(log)], capture_output=True, text=True, check=True)
    for text in (done.stdout, log.read_text()):
        assert "OSError: " in text and "[2J refused" in text
        assert "q7k2" * 5 not in text and "\x1b" not in text


@pytest.mark.parametrize("terminal", [False, True])
def test_trainings_that_follow_one_another_are_a_line_each_when_they_are_done(terminal):
    screen = io.StringIO()
    with TrainingDisplay(make_console(file=screen, width=100, force_terminal=terminal), "training"):
        for number in (1, 2):
            report_progress(f"train: step {number}/9", number, 9)
            report_done(f"[{number}] done")
    text = screen.getvalue()
    assert text.count("[1] done") == text.count("[2] done") == 1
    # A bar shows how far each is; in plain lines only now and then.
    assert text.count("train: step") == 1 or terminal


def test_a_night_of_training_is_told_in_less_than_sixty_plain_lines(monkeypatch):
    clock = iter(range(1000, 10**9, 2))  # seconds, two at every look
    monkeypatch.setattr("pipeline.execution.progress.time.monotonic", lambda: float(next(clock)))
    screen = io.StringIO()
    with StepDisplay(make_console(file=screen, width=200), ["Trainer"]):
        emit(StepStarted("Trainer"))
        for step in range(6000):  # some eight hours
            report_progress(f"train: step {step}")
    lines = screen.getvalue().splitlines()
    assert 30 < len(lines) < 60
    assert lines[0].endswith("step 0")
