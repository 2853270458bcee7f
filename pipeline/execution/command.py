"""`effnet run`: the local runner, with progress on the screen, everything else in a log file, and a summary."""

import logging
import traceback
from datetime import UTC, datetime

from rich.console import Console

from components.common.human_format import clock
from pipeline.config.model import PipelineConfig
from pipeline.config.secrets import hide_secrets
from pipeline.execution.failures import describe
from pipeline.execution.prepare import check_images_are_there, prepare
from pipeline.execution.progress import StepDisplay, quiet_output
from pipeline.exit_codes import ExitCode, exit_code_of
from pipeline.run_lock import only_run
from pipeline.terminal import print_line

LOG = logging.getLogger("effnet")


def run_with_progress(config: PipelineConfig, debug: bool, verbose: bool = False) -> ExitCode:
    """Runs the pipeline; returns how it ended. A step's failure is shown in one line, with `debug` its traceback.

    With `verbose` everything that TFX, TensorFlow and Beam log is shown as well.

    Raises:
      RunInProgress: another process runs this pipeline.
      ConfigError: the images are not where the configuration says.
    """
    check_images_are_there(config)
    with only_run(config.run_root):
        return _run(config, debug, verbose)


def _run(config: PipelineConfig, debug: bool, verbose: bool) -> ExitCode:
    log_path = config.run_root / "run.log"
    started = datetime.now(UTC)
    with quiet_output(log_path, verbose) as console:
        console.print(f"[bold]{config.name}[/]: {config.data.path} -> {config.push_path}", soft_wrap=True)
        with console.status("loading TFX"):
            from tfx.orchestration.local.local_dag_runner import LocalDagRunner

            from pipeline.dag import create_pipeline
            from pipeline.execution.summary import print_summary

            prepare(config)
            pipeline = create_pipeline(config)
        try:
            with StepDisplay(console, [component.id for component in pipeline.components]):
                LocalDagRunner().run(pipeline)
        except Exception as error:
            LOG.exception("the run failed")
            if debug:
                console.print(hide_secrets(traceback.format_exc()), markup=False)
            console.print("[red]error:[/] ", end="")
            told = describe(error, config.run_root)
            console.print(told, markup=False, soft_wrap=True)
            console.print(f"everything that was logged: {log_path}", markup=False, soft_wrap=True)
            _report_stop(console, config, told)
            code = exit_code_of(error)
            _note_time(config, started)
            console.print(f"exit status {code:d}: {code.meaning}")
            return code
        code = print_summary(console, config, log_path)
        print_line(console, "took", f"{clock(_note_time(config, started))}; exit status {code:d}: {code.meaning}")
        return code


def _note_time(config: PipelineConfig, started: datetime) -> float:
    """Returns the seconds since then, and notes them with the run; that this may fail must not change how it ended."""
    from pipeline.history.metadata import note_seconds

    seconds = (datetime.now(UTC) - started).total_seconds()
    try:
        note_seconds(config.metadata_path, started, seconds)
    except Exception:
        LOG.exception("beside the run")
    return seconds


def _report_stop(console: Console, config: PipelineConfig, error: str) -> None:
    """Writes the report of the run that just stopped; that this may fail as well must not hide why the run did."""
    from pipeline.history.metadata import find_run
    from pipeline.history.report import report_of_stopped_run

    try:
        path = report_of_stopped_run(config, find_run(config.metadata_path, None), error)
    except Exception:
        LOG.exception("beside the run")
        console.print("no report could be made of this run; the log says why")
    else:
        console.print(f"report of what it came to: {path}", markup=False, soft_wrap=True)
