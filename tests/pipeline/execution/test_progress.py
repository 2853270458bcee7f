"""What the screen shows of a run that logs thousands of lines."""

import io
import logging
import os
import subprocess
import sys

import pytest
from rich.console import Console

from pipeline.execution.progress import StepDisplay, TrainingDisplay
from pipeline.terminal import make_console


def shown(*messages: str, logger: str = "absl") -> list[str]:
    screen = io.StringIO()
    with StepDisplay(make_console(file=screen, width=200), ["Trainer", "Pusher"]):
        for message in messages:
            logging.getLogger(logger).info(message)
    return screen.getvalue().splitlines()


def test_a_step_is_one_line_with_its_number_and_time():
    (line,) = shown("Component Pusher is running.", "anything else", "Component Pusher is finished.")
    assert line.startswith("[ 2/2] Pusher")
    assert line.endswith("0 s")


def test_a_cached_step_says_so_and_the_next_one_does_not():
    lines = shown(
        "Component Trainer is running.",
        "A cached execution 17 is used.",
        "Component Trainer is finished.",
        "Component Pusher is running.",
        "Component Pusher is finished.",
    )
    assert lines[0].endswith("from cache")
    assert lines[1].endswith("0 s")


def test_markup_in_a_message_is_text():
    logging.getLogger("effnet.progress").setLevel(logging.INFO)
    assert shown("ingest: [red]/[1] files", logger="effnet.progress") == ["        ingest: [red]/[1] files"]


ROWS = [["trial", "dropout"], ["1", "0.2"], ["2", "[red]0.3"]]


def with_table(console: Console) -> None:
    logging.getLogger("effnet.progress").setLevel(logging.INFO)
    with StepDisplay(console, ["Tuner"]):
        logging.getLogger("absl").info("Component Tuner is running.")
        for trial in ("1", "2"):
            logging.getLogger("effnet.progress").info("trial %s ended", trial, extra={"table": ROWS})
        logging.getLogger("absl").info("Component Tuner is finished.")


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
    logging.getLogger("effnet.progress").setLevel(logging.INFO)
    screen = io.StringIO()
    console = make_console(file=screen, width=200, force_terminal=True)
    with StepDisplay(console, ["Trainer"]) as display:
        logging.getLogger("absl").info("Component Trainer is running.")
        logging.getLogger("effnet.progress").info("tune: trial 2/3: epoch 1, step 5/20, 39 images/s")
        task = display.bar.tasks[0]
        assert (task.completed, task.total) == (5, 20)
        assert "39 images/s" in task.fields["detail"]
        logging.getLogger("absl").info("Component Trainer is finished.")
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


@pytest.mark.parametrize("terminal", [False, True])
def test_trainings_that_follow_one_another_are_a_line_each_when_they_are_done(terminal):
    screen = io.StringIO()
    logging.getLogger("effnet.progress").setLevel(logging.INFO)
    with TrainingDisplay(make_console(file=screen, width=100, force_terminal=terminal), "training"):
        for number in (1, 2):
            logging.getLogger("effnet.progress").info("train: step %d/9", number)
            logging.getLogger("effnet.progress.done").info("[%d] done", number)
    text = screen.getvalue()
    assert text.count("[1] done") == text.count("[2] done") == 1
    # A bar shows how far each is; in plain lines only now and then.
    assert text.count("train: step") == 1 or terminal


def test_a_night_of_training_is_told_in_less_than_sixty_plain_lines(monkeypatch):
    clock = iter(range(1000, 10**9, 2))  # seconds, two at every look
    monkeypatch.setattr("pipeline.execution.progress.time.monotonic", lambda: float(next(clock)))
    logging.getLogger("effnet.progress").setLevel(logging.INFO)
    screen = io.StringIO()
    with StepDisplay(make_console(file=screen, width=200), ["Trainer"]):
        logging.getLogger("absl").info("Component Trainer is running.")
        for step in range(6000):  # some eight hours
            logging.getLogger("effnet.progress").info("train: step %d", step)
    lines = screen.getvalue().splitlines()
    assert 30 < len(lines) < 60
    assert lines[0].endswith("step 0")
