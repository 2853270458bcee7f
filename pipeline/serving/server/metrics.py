"""What Prometheus reads: TensorFlow Serving's names where it has one, and this server's own."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from pipeline.serving.server.versions import ServedModel

REQUESTS = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"  # microseconds, as there
LATENCY_BUCKETS = tuple(float(10 * 1.8**step) for step in range(33))  # TensorFlow Serving's
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one server.

    Attributes:
        models: whose waiting images and versions are shown.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests: Counter[tuple[str, str]] = Counter()
        self.models: Collection[ServedModel] = ()
        self._latency = Histogram(
            LATENCY, "Microseconds from a request to its answer", ["model_name"],
            buckets=LATENCY_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._batch_size = Histogram(
            "effnet_batch_size", "Images that went through the network together", ["model_name"],
            buckets=BATCH_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(self)

    def observe(self, model: str, code: str, seconds: float) -> None:
        """Counts a request with its status, and how long it took."""
        self._requests[model, code] += 1
        self._latency.labels(model).observe(seconds * 1e6)

    def batches(self, model: str) -> Callable[[int], None]:
        """Returns what counts a batch of a model."""
        observe: Callable[[int], None] = self._batch_size.labels(model).observe
        return observe

    def collect(self) -> Iterator[Any]:
        """What is looked up when Prometheus asks."""
        # Not a counter of the library's: that would append _total to the name.
        requests = Metric(REQUESTS, "Requests by their status", "unknown")
        for (model, code), count in self._requests.items():
            requests.add_sample(REQUESTS, {"model_name": model, "status": code}, count)
        yield requests
        waiting = GaugeMetricFamily("effnet_waiting_images", "Images that wait for an answer", labels=["model_name"])
        newest = GaugeMetricFamily("effnet_served_version", "The version that is served", labels=["model_name"])
        for served in self.models:
            if (version := served.newest) and version.batcher:
                waiting.add_metric([served.name], version.batcher.waiting)
                newest.add_metric([served.name], version.number)
        yield waiting
        yield newest

    def as_text(self) -> bytes:
        """In Prometheus' text format."""
        text: bytes = generate_latest(self._registry)
        return text
