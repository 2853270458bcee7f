"""Runs a training in a process of its own.

A local pipeline runs all steps in one process. Training in a fresh one keeps the GPU away from the Beam steps (they
hide it, the child sees it), gives its memory back at the end, and turns an out-of-memory kill into an error message.
"""

import concurrent.futures
import contextlib
import logging
import logging.handlers
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar, TypeVarTuple

from components.common import events

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class TrainingProcessDied(RuntimeError):
    """The training process ended without an answer."""


def call_in_fresh_process(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Calls a module-level function in a new process and returns its (pickled) result.

    The events that the function reports are reported here. Its exceptions are raised here.

    Raises:
      TrainingProcessDied: the process was killed, most likely for want of memory.
    """
    context = multiprocessing.get_context("spawn")  # a forked TensorFlow does not work
    records = context.Queue()
    listener = logging.handlers.QueueListener(records, _Relay())
    pool = concurrent.futures.ProcessPoolExecutor(1, context, initializer=_start, initargs=(records,))
    listener.start()
    try:
        with pool:
            return pool.submit(function, *arguments).result()
    except BrokenProcessPool as error:
        raise TrainingProcessDied(
            "the training process was killed, most likely out of memory; lower train.batch_size or model.image_size"
        ) from error
    finally:
        listener.stop()
        records.close()


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
    _grow_gpu_memory()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # a killed pipeline must not leave a training behind that holds the GPU


def _grow_gpu_memory() -> None:
    """Lets TensorFlow take GPU memory as it needs it instead of all at once."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
