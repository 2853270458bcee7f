"""Grad-CAM pictures for the page, in a process of their own: they need TensorFlow, and the server does not.

The process starts with the first picture and ends when nobody has asked for one for a while.
"""

import asyncio
import importlib.util
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any

from components.serving_engine.pixels import Pixels
from pipeline.serving.server.errors import ServingError

IDLE_SECONDS = 300.0
WAITING = 8  # pictures; more are refused
SECONDS = 120.0  # for a picture, the start of the process included


class Explainer:
    """Makes the pictures, one after another."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0
        self._end: asyncio.TimerHandle | None = None

    async def picture(self, saved_model: str, pixels: Pixels, label: int) -> str:
        """Returns an image with its heat map over it as a data URI.

        Args:
            saved_model: folder of the version.
            pixels: uint8 (size, size, 3), what the network saw.
            label: of the class to explain.

        Raises:
            ServingError: if there can be none.
        """
        if importlib.util.find_spec("keras") is None:
            raise ServingError("UNIMPLEMENTED", "heat maps need the training packages")
        if self._waiting >= WAITING:
            raise ServingError("RESOURCE_EXHAUSTED", "too many heat maps are waiting; try again later")
        self._waiting += 1
        try:
            if self._end:
                self._end.cancel()
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            job = asyncio.get_running_loop().run_in_executor(self._pool, _draw, saved_model, pixels, label)
            return await asyncio.wait_for(job, SECONDS)
        except TimeoutError as error:
            raise ServingError("DEADLINE_EXCEEDED", f"no heat map within {SECONDS:.0f} s") from error
        except BrokenProcessPool as error:
            self.close()
            raise ServingError("INTERNAL", "the process that draws heat maps died, most likely for memory") from error
        except ValueError as error:
            raise ServingError("FAILED_PRECONDITION", f"no heat map: {error}") from error
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._end = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)

    def close(self) -> None:
        """Ends the process."""
        if self._end:
            self._end.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None


def _draw(saved_model: str, pixels: Pixels, label: int) -> str:
    import numpy as np

    from components.run_report.images import overlay
    from trainer.grad_cam import heat_maps

    (heat,) = heat_maps(_network(saved_model), pixels.astype(np.float32)[np.newaxis], [label])
    return overlay(pixels, heat)


@lru_cache(1)
def _network(saved_model: str) -> Any:
    import os

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU is the server's
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.serving.model_cache import local_copy
    from trainer.grad_cam import rebuild

    return rebuild(local_copy(saved_model))
