"""From a request, whichever interface it came by, to the outputs of a signature."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.serving.server.errors import ServingError, invalid
from pipeline.serving.server.metrics import Metrics
from pipeline.serving.server.settings import ServerSettings
from pipeline.serving.server.signatures import Signatures, images_of, outputs_of
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

    async def ask(
        self,
        name: str,
        version: int | None,
        label: str,
        signature: str,
        read_values: Callable[[Signatures], Sequence[bytes]],
        are_images: bool = False,
    ) -> Answer:
        """Asks a model, within the time limit.

        Args:
            name: of the model.
            version: None: the newest.
            label: "" for none.
            signature: "" is the default one.
            read_values: finds the values of the signature's input in the request.
            are_images: whether the values are images, whatever the signature takes.

        Raises:
            ServingError: see its codes.
        """
        started, code = time.perf_counter(), "OK"
        try:
            model, found = self.find(name, version, label)
            if found.signatures is None:
                raise AssertionError(f"version {found.number} has no signatures")
            input_name = found.signatures.input_of(signature)
            values = read_values(found.signatures)
            images = list(values) if are_images else images_of(values, input_name)
            if not images:
                raise invalid("No values in the request's input")
            async with asyncio.timeout(self.settings.limits.timeout), model.using(found) as (engine, batcher):
                probabilities = await batcher.classify(images)
            return Answer(name, found.number, signature, outputs_of(probabilities, engine.classes), engine.classes)
        except TimeoutError as error:
            code = "DEADLINE_EXCEEDED"
            message = f"Timed out after {self.settings.limits.timeout:g} s"
            raise ServingError(code, message) from error
        except ServingError as error:
            code = error.code
            raise
        finally:
            known = name if name in self.models else "unknown"  # a client's own names would fill the metrics
            self.metrics.observe(known, code, time.perf_counter() - started)
