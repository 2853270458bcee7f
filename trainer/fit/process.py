"""Runs a training in a process of its own.

A local pipeline runs all steps in one process. Training in a fresh one keeps the GPU away from the Beam steps (they
hide it, the child sees it), gives its memory back at the end, and turns an out-of-memory kill into an error message.
"""

import concurrent.futures
import contextlib
import faulthandler
import logging
import logging.handlers
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar, TypeVarTuple

from components.common import events

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

SECONDS_TO_DIE = 5.0
SECONDS_OF_SILENCE = 30.0


class TrainingProcessDied(RuntimeError):
    """The training process ended without an answer."""


def call_in_fresh_process(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Calls a module-level function in a new process and returns its (pickled) result.

    The events that the function reports are reported here. Its exceptions are raised here.

    Raises:
      TrainingProcessDied: the process was killed, most likely for want of memory, or could not start.
    """
    context = multiprocessing.get_context("spawn")  # a forked TensorFlow does not work
    records = context.Queue()
    listener = logging.handlers.QueueListener(records, _Relay())
    pool = concurrent.futures.ProcessPoolExecutor(1, context, initializer=_start, initargs=(records,))
    listener.start()
    process: BaseProcess | None = None
    try:
        with pool:
            answer = pool.submit(function, *arguments)
            (process,) = pool._processes.values()  # the pool forgets it when it dies
            try:
                return answer.result()
            except BaseException as error:
                if answer.done() and isinstance(error, SystemExit):  # it would end this process too, and well at times
                    raise TrainingProcessDied(_ended_itself(error.code)) from error
                if not answer.done():  # Ctrl-C, say: the end of the block would wait for the training's own end
                    process.terminate()
                raise
    except BrokenProcessPool as error:
        raise TrainingProcessDied(_how_it_died(process)) from error
    finally:
        listener.stop()
        records.close()


def _how_it_died(process: BaseProcess | None) -> str:
    if process is not None:
        process.join(SECONDS_TO_DIE)
    code = process.exitcode if process is not None else None
    if code is not None and code >= 0:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if code and limit != resource.RLIM_INFINITY:
            return (
                f"the training process ended with status {code}, most likely out of memory (the address space is "
                f"limited to {limit / 1e9:.1f} GB, see `ulimit -v`); raise the limit, or lower train.batch_size or "
                "model.image_size"
            )
        return _ended_itself(code)
    by = "" if code is None else f" by {signal.Signals(-code).name}"
    return f"the training process was killed{by}, most likely out of memory; lower train.batch_size or model.image_size"


def _ended_itself(code: object) -> str:
    return (
        f"the training process could not start or ended by itself, with status {code}; what it printed last, in "
        "run.log or above, says why"
    )


@contextlib.contextmanager
def running_beside(function: Callable[[*Arguments], object], *arguments: *Arguments) -> Iterator[None]:
    """Runs a module-level function in a new process until the block ends."""
    process = multiprocessing.get_context("spawn").Process(target=_run_beside, args=(function, arguments), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _run_beside(function: Callable[[*Arguments], object], arguments: tuple[*Arguments]) -> None:
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    function(*arguments)


class _Relay(logging.Handler):
    """Reports a child's events as this process's."""

    def handle(self, record: logging.LogRecord) -> bool:
        events.relay(record)
        return True


def _start(records: "multiprocessing.Queue[logging.LogRecord]") -> None:
    """Prepares the child: its events go to the parent, and the child does not outlive it."""
    events.send_to(logging.handlers.QueueHandler(records))
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        threading.Thread(target=_exit_when_stuck, daemon=True).start()
    _grow_gpu_memory()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # a killed pipeline must not leave a training behind that holds the GPU


def _exit_when_stuck() -> None:
    """Ends this process when nothing in it runs any more; to be called where memory is limited, and only there.

    When TensorFlow runs out of address space, a std::bad_alloc leaves a lock behind that nobody gives back: the next
    one to want it waits for ever, and keeps Python's own lock meanwhile. Then this thread cannot put the end off any
    more, which a thread of C code brings about.
    """
    while True:
        faulthandler.dump_traceback_later(SECONDS_OF_SILENCE, exit=True, file=2)
        time.sleep(1.0)


def _grow_gpu_memory() -> None:
    """Lets TensorFlow take GPU memory as it needs it instead of all at once."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
