"""What a model must achieve before it is pushed: the `evaluate` and `serving` sections of pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.settings import Fraction, Settings


class EvaluateSettings(Settings):
    """Thresholds of the gate. The first two are required: without a threshold nothing could be refused."""

    min_accuracy: Annotated[float, Field(gt=0, le=1)]
    """Lowest accuracy over all eval images.

    On a first run this is the only hurdle: set it well above the share of the largest class.
    """
    max_accuracy_drop: Fraction
    """How much accuracy the model may lose against the served one, on the same images."""
    compare: Literal["measured", "confident"] = "measured"
    """How the drop is judged: measured, or confident (within the limit with 95 % confidence)."""
    min_class_recall: Fraction | None = None
    """Lowest recall of every class, such as 0.7."""
    class_recall: dict[str, Fraction] = Field(default_factory=dict)
    """Lowest recall of single classes, such as {daisy: 0.9}."""
    min_slice_accuracy: Fraction | None = None
    """Lowest accuracy for every image size and every brightness."""
    min_class_examples: Annotated[int, Field(ge=1)] = 10
    """A class, size or brightness with fewer eval images is named but not judged."""
    top_k: Annotated[int, Field(ge=2)] = 3
    """Number of best classes that count as a hit in top-k accuracy."""
    min_top_k_accuracy: Fraction | None = None
    """Lowest top-k accuracy."""
    min_auc: Fraction | None = None
    """Lowest area under the ROC curve, each class against the others."""
    max_cross_entropy: Annotated[float, Field(gt=0)] | None = None
    """Largest cross-entropy loss."""
    max_calibration_error: Fraction | None = None
    """Largest gap, on average, between the model's confidence and its accuracy, such as 0.05."""
    other_classes: Literal["refuse", "floors"] = "refuse"
    """A model whose classes differ from the served one's: refuse it, or let the floors alone decide (floors)."""


class LatencyBudgets(Settings):
    """Most milliseconds that a request may take; None: any."""

    p50_batch_1: Annotated[float, Field(gt=0)] | None = None
    """Median milliseconds for one image."""
    p99_batch_1: Annotated[float, Field(gt=0)] | None = None
    """99th percentile of milliseconds for one image."""
    p50_batch_32: Annotated[float, Field(gt=0)] | None = None
    """Median milliseconds for 32 images."""
    p99_batch_32: Annotated[float, Field(gt=0)] | None = None
    """99th percentile of milliseconds for 32 images."""


class ServingSettings(Settings):
    """What the exported model has to fulfil in a process of its own before it is pushed."""

    tolerance: Annotated[float, Field(gt=0)] = 1e-5
    """Largest difference of a probability from the trainer's own answer."""
    requests: Annotated[int, Field(ge=3)] = 50
    """Requests that measure latency, for each batch size."""
    engine: Literal["auto", "tensorflow"] = "auto"
    """Engine of `effnet serve` and `effnet predict`: auto (ONNX Runtime if it gives the same answers within the
    tolerance on every eval image, else TensorFlow) or tensorflow.
    """
    max_latency_ms: LatencyBudgets = LatencyBudgets()
    """Longest response times in milliseconds; null measures and shows them without judging."""
    max_size_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest SavedModel in MB."""
    max_memory_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest memory of the serving process in MB; TensorFlow alone takes about 500."""
    known_precision: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Precision of the answers marked `known`, such as 0.99.

    The threshold and a temperature are fitted on the val images. Null adds neither. See docs/own-images.md.
    """
    infra_validator: Literal["none", "docker"] = "none"
    """docker also requires TensorFlow Serving itself to load the model and answer."""
    tf_serving_tag: str = "latest"
    """Tag of the image tensorflow/serving that does so."""
