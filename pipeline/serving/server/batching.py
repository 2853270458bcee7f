"""Dynamic batching: images of several requests go through the network together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.image_example_gen.images.damage import ImageError
from components.serving_engine.engine import Engine, usable_cores
from components.serving_engine.pixels import Pixels
from pipeline.serving.server.errors import ServingError, broken_image, invalid
from pipeline.serving.server.settings import Limits

Probabilities = NDArray[np.float32]


@dataclass
class _Waiting:
    pixels: Pixels
    answer: "asyncio.Future[Probabilities]"


class Batcher:
    """Answers for one loaded version.

    Images are decoded side by side, each for its own request: a broken one fails that request alone. The network runs
    in a thread of its own; what arrives meanwhile makes up the next batch.
    """

    def __init__(self, engine: Engine, limits: Limits, observe_batch: Callable[[int], None]):
        """Starts it; call within a running event loop.

        Args:
            engine: which answers.
            limits: see `Limits`.
            observe_batch: is called with the size of each batch.
        """
        self._engine, self._limits, self._observe_batch = engine, limits, observe_batch
        self._admitted = 0
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._decoders = ThreadPoolExecutor(usable_cores(), "decode")
        self._network = ThreadPoolExecutor(1, "network")
        self._worker = asyncio.create_task(self._work())

    @property
    def waiting(self) -> int:
        """Images that were taken in and not answered yet."""
        return self._admitted

    async def classify(self, images: Sequence[bytes]) -> Probabilities:
        """Decodes and classifies the encoded images of one request: (images, classes).

        Raises:
            ServingError: if one cannot be read, or there is no room for all of them.
        """
        if len(images) > self._limits.queue:
            raise invalid(f"got {len(images)} images in a request, expected at most {self._limits.queue}")
        if self._admitted + len(images) > self._limits.queue:
            raise ServingError("RESOURCE_EXHAUSTED", f"{self._admitted} images are waiting already; try again later")
        self._admitted += len(images)
        try:
            loop = asyncio.get_running_loop()
            jobs = [loop.run_in_executor(self._decoders, self._engine.pixels, image) for image in images]
            decoded = await asyncio.gather(*jobs, return_exceptions=True)
            for number, pixels in enumerate(decoded):
                if isinstance(pixels, ImageError):
                    raise broken_image(number, pixels)
                if isinstance(pixels, BaseException):
                    raise pixels
            waiting = [_Waiting(pixels, loop.create_future()) for pixels in decoded if isinstance(pixels, np.ndarray)]
            for one in waiting:
                self._queue.put_nowait(one)
            return np.stack(await asyncio.gather(*(one.answer for one in waiting)))
        finally:
            self._admitted -= len(images)

    async def close(self) -> None:
        """Ends the worker; nothing may be waiting any more."""
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        self._decoders.shutdown(wait=False)
        self._network.shutdown(wait=False)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._gather_batch()
            batch = [one for one in batch if not one.answer.done()]  # whose client has gone, or ran out of time
            if not batch:
                continue
            pixels = np.stack([one.pixels for one in batch])
            try:
                answers = await loop.run_in_executor(self._network, self._engine.probabilities, pixels)
            except Exception as error:  # whatever an engine fails with is the answer to these requests, not the end
                for one in batch:
                    if not one.answer.done():
                        one.answer.set_exception(ServingError("INTERNAL", f"the engine failed: {error}"))
                continue
            self._observe_batch(len(batch))
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)

    async def _gather_batch(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        until = asyncio.get_running_loop().time() + self._limits.batch_wait
        while len(batch) < self._limits.max_batch:
            try:
                batch.append(self._queue.get_nowait())
                continue
            except asyncio.QueueEmpty:
                left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), left))
            except TimeoutError:
                break
        return batch
