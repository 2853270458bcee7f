"""From a request, whichever interface it came by, to the outputs of a signature."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.serving.server.errors import ServingError, invalid
from pipeline.serving.server.metrics import Metrics
from pipeline.serving.server.settings import ServerSettings
from pipeline.serving.server.signatures import Signatures, outputs_of
from pipeline.serving.server.versions import ServedModel, Version


@dataclass(frozen=True)
class Answer:
    """What a model answered.

    Attributes:
        model: its name.
        version: that answered.
        signature: that was asked.
        outputs: by name, see `outputs_of`.
        classes: names in label order.
    """

    model: str
    version: int
    signature: str
    outputs: Mapping[str, Any]
    classes: Sequence[str]


class Registry:
    """All models of a server."""

    def __init__(self, settings: ServerSettings, metrics: Metrics):
        """Makes the models; `watch` loads them."""
        self.settings, self.metrics = settings, metrics
        self.models = {
            folder.name: ServedModel(folder, settings, metrics.batches(folder.name)) for folder in settings.models
        }
        metrics.models = self.models.values()

    @property
    def ready(self) -> bool:
        """Whether every model has a version that answers."""
        return all(model.newest is not None for model in self.models.values())

    def find(self, name: str, version: int | None = None, label: str = "") -> tuple[ServedModel, Version]:
        """Returns the model and version that a request is for.

        Raises:
            ServingError: NOT_FOUND.
        """
        if name not in self.models:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError("NOT_FOUND", f"Servable not found for request: {wanted}")
        return self.models[name], self.models[name].find(version, label)

    def versions(self, name: str, number: int | None = None, label: str = "") -> list[Version]:
        """Returns the versions, the newest first, whose status a request is for.

        Raises:
            ServingError: NOT_FOUND, in TensorFlow Serving's words.
        """
        model = self.models.get(name)
        if model and label:
            return [model.find(label=label)]
        found = [version for version in (model.newest_first() if model else ()) if number in (None, version.number)]
        if not found:
            which = "any versions" if number is None else f"version {number}"
            raise ServingError("NOT_FOUND", f"Could not find {which} of model {name}")
        return found

    @contextlib.contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Counts a request to a model by how the block ends, and measures it."""
        started, code = time.perf_counter(), "OK"
        try:
            yield
        except ServingError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except BaseException:
            code = "INTERNAL"
            raise
        finally:
            known = name if name in self.models else "unknown"  # a client's own names would fill the metrics
            self.metrics.observe(known, code, time.perf_counter() - started)

    async def ask(
        self,
        name: str,
        version: int | None,
        label: str,
        signature: str,
        read_images: Callable[[Signatures], Sequence[bytes]],
    ) -> Answer:
        """Asks a model, within the time limit.

        Args:
            name: of the model.
            version: None: the newest.
            label: "" for none.
            signature: "" is the default one.
            read_images: finds the encoded images in the request; it knows what the signature takes.

        Raises:
            ServingError: see its codes.
        """
        model, found = self.find(name, version, label)
        if found.signatures is None:
            raise AssertionError(f"version {found.number} has no signatures")
        found.signatures.input_of(signature)
        images = read_images(found.signatures)
        if not images:
            raise invalid("No values in the request's input")
        try:
            async with asyncio.timeout(self.settings.limits.timeout), model.using(found) as (engine, batcher):
                probabilities = await batcher.classify(images)
        except TimeoutError as error:
            message = f"Timed out after {self.settings.limits.timeout:g} s"
            raise ServingError("DEADLINE_EXCEEDED", message) from error
        if not np.isfinite(probabilities).all():  # the network is broken; JSON has no word for it
            raise ServingError("INTERNAL", "the model answered NaN or infinity")
        outputs = outputs_of(probabilities, engine.classes, engine.known_threshold)
        return Answer(name, found.number, signature, outputs, engine.classes)
