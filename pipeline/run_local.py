"""`effnet run`: the local runner, with progress on the screen, everything else in a log file, and a summary."""

import time
import traceback

from pipeline.config import PipelineConfig
from pipeline.exit_codes import ExitCode, exit_code_of
from pipeline.progress import StepDisplay, quiet_output
from pipeline.run_lock import only_run


def run_with_progress(config: PipelineConfig, debug: bool) -> ExitCode:
    """Runs the pipeline; returns how it ended. A step's failure is shown in one line, with `debug` its traceback.

    Raises:
      RunInProgress: another process runs this pipeline.
    """
    with only_run(config.run_root):
        return _run(config, debug)


def _run(config: PipelineConfig, debug: bool) -> ExitCode:
    log_path = config.run_root / "run.log"
    started = time.monotonic()
    with quiet_output(log_path) as console:
        console.print(f"[bold]{config.name}[/]: {config.data.path} -> {config.push_path}", soft_wrap=True)
        with console.status("loading TFX"):
            from tfx.orchestration.local.local_dag_runner import LocalDagRunner

            from pipeline.dag import create_pipeline
            from pipeline.local_runner import prepare
            from pipeline.summary import print_summary

            prepare(config)
            pipeline = create_pipeline(config)
        try:
            with StepDisplay(console, [component.id for component in pipeline.components]):
                LocalDagRunner().run(pipeline)
        except Exception as error:
            traceback.print_exc()  # into the log
            if debug:
                console.print(traceback.format_exc(), markup=False)
            console.print("[red]error:[/] ", end="")
            console.print(" ".join(str(error).split()), markup=False, soft_wrap=True)
            console.print(f"everything that was logged: {log_path}", markup=False, soft_wrap=True)
            code = exit_code_of(error)
            console.print(f"exit status {code:d}: {code.meaning}")
            return code
        code = print_summary(console, config, log_path)
        minutes, seconds = divmod(round(time.monotonic() - started), 60)
        console.print(f"[bold]{'took':<14}[/]{minutes}:{seconds:02d}; exit status {code:d}: {code.meaning}")
        return code
