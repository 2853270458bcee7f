"""`effnet run`: the local runner with progress on the screen, a log file for everything else, and a summary."""

import logging
import time

from rich.console import Console

from components.common.events import RunEnded, emit
from components.common.human_format import clock
from pipeline.config.model import PipelineConfig
from pipeline.config.plain_path import real_path
from pipeline.execution.beam_engine import check_engine, heard_of
from pipeline.execution.failures import describe, safe_traceback
from pipeline.execution.prepare import check_images_are_there, prepare
from pipeline.execution.progress import StepDisplay, quiet_output
from pipeline.exit_codes import ExitCode, exit_code_of
from pipeline.run_lock import only_run
from pipeline.terminal import print_line, styled

LOG = logging.getLogger("effnet")


def run_with_progress(config: PipelineConfig, debug: bool, verbose: bool = False) -> ExitCode:
    """Runs the pipeline; returns its exit code. A step's failure is shown in one line, with `debug` also its traceback.

    With `verbose` everything that TFX, TensorFlow and Beam log is shown too.

    Raises:
      RunInProgress: another process runs this pipeline.
      ConfigError: the images, or the Beam engine, are not where the configuration says.
    """
    check_images_are_there(config)
    check_engine(config.runners.beam)
    with only_run(config.run_root):
        return _run(config, debug, verbose)


def _run(config: PipelineConfig, debug: bool, verbose: bool) -> ExitCode:
    log_path = config.run_root / "run.log"
    started = time.monotonic()
    with quiet_output(log_path, verbose) as console:
        console.print(
            styled((config.name, "bold"), f": {config.data.path} -> {real_path(config.push_path)}"), soft_wrap=True
        )
        with console.status("loading TFX"):
            from pipeline.dag import create_pipeline
            from pipeline.execution.local_run import new_run_id, run_locally
            from pipeline.execution.summary import print_summary

            prepare(config)
            pipeline, run_id = create_pipeline(config), new_run_id()
        try:
            steps = [component.id for component in pipeline.components]
            with StepDisplay(console, steps), heard_of(config.runners.beam):
                run_locally(pipeline, run_id)
        except Exception as error:
            LOG.exception("the run failed")
            if debug:
                console.print(safe_traceback(error))
            line = describe(error, config.run_root)
            console.print(styled(("error:", "red"), f" {line}"), soft_wrap=True)
            console.print(f"full log: {log_path}", soft_wrap=True)
            _report_stop(console, config, run_id, line)
            code = exit_code_of(error)
            emit(RunEnded(code, line))
            _note_time(config, run_id, started)
            console.print(f"exit status {code:d}: {code.meaning}")
            return code
        code = print_summary(console, config, run_id, log_path)
        emit(RunEnded(code))
        print_line(
            console, "took", f"{clock(_note_time(config, run_id, started))}; exit status {code:d}: {code.meaning}"
        )
        return code


def _note_time(config: PipelineConfig, run_id: str, started: float) -> float:
    """Returns the seconds since `started`, and notes them with the run; a failure must not change the run's result."""
    from pipeline.history.metadata import note_seconds

    seconds = time.monotonic() - started
    try:
        note_seconds(config.metadata_path, run_id, seconds)
    except Exception:
        LOG.exception("could not note how long the run took")
    return seconds


def _report_stop(console: Console, config: PipelineConfig, run_id: str, error: str) -> None:
    """Writes the report of the run that just stopped; a failure of this must not hide why the run stopped."""
    from pipeline.history.metadata import run_of_id
    from pipeline.history.report import report_of_stopped_run

    try:
        path = report_of_stopped_run(config, run_of_id(config.metadata_path, run_id), error)
    except Exception:
        LOG.exception("could not write the report")
        console.print("could not write a report of this run; the log says why")
    else:
        console.print(f"report: {path}", soft_wrap=True)
