"""The engines that answer for a pushed model, and the choice between them.

ONNX Runtime   the network as an ONNX file; pixels without TensorFlow. Where ServingCheck has proven it.
TensorFlow     the SavedModel's own functions. Everywhere else, and on GPUs, with XLA.
"""

import os
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from components.common.model_info import ModelInfo, known_threshold, read_model_info
from components.image_example_gen.images.codec import normalise_image
from components.serving_engine.pixels import Pixels, PixelSpec, network_pixels
from components.serving_engine.proof import ONNX_RUNTIME, proven_onnx

EngineName = Literal["auto", "onnxruntime", "tensorflow"]
TENSORFLOW = "tensorflow"


class EngineError(RuntimeError):
    """No engine can answer for a model."""


class Engine(Protocol):
    """What a server needs of a model.

    Attributes:
        name: onnxruntime or tensorflow.
        reason: why it is not the faster one; "" if it is.
        classes: names in label order.
        image_size: pixels a side that the network sees.
        known_threshold: least probability of a known answer; None: the model does not say what it knows.
    """

    name: str
    reason: str
    classes: tuple[str, ...]
    image_size: int
    known_threshold: float | None

    def pixels(self, data: bytes) -> Pixels:
        """Decodes one encoded image: uint8 (size, size, 3).

        Raises:
            ImageError: if it cannot be read.
        """

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """Asks the network: uint8 (batch, size, size, 3) to (batch, classes)."""


class OnnxEngine:
    """ONNX Runtime on the CPU; decoding and resizing as `pixels.network_pixels`."""

    def __init__(self, content: bytes, info: ModelInfo, max_pixels: int, threads: int = 0):
        """Loads a network.

        Args:
            content: of the ONNX file.
            info: the trainer's model.json.
            max_pixels: of an image.
            threads: that work on one batch; 0: one for each core.

        Raises:
            ValueError: if `info` does not say how the images are resized.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        # Threads that wait busily would take the cores from those that decode images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._spec = PixelSpec.from_info(info)
        self._max_pixels = max_pixels
        self.name, self.reason = ONNX_RUNTIME, ""
        self.classes, self.image_size = tuple(info["classes"]), self._spec.image_size
        self.known_threshold = known_threshold(info)

    def pixels(self, data: bytes) -> Pixels:
        """See `Engine`."""
        return network_pixels(data, self._spec, self._max_pixels)

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """See `Engine`."""
        answer: NDArray[np.float32] = self._session.run(["probabilities"], {"pixels": pixels})[0]
        return answer


class TensorFlowEngine:
    """The SavedModel in TensorFlow, behind the same normalisation of images as in the ingest."""

    def __init__(self, saved_model: str, info: ModelInfo, max_pixels: int, reason: str = ""):
        """Loads a SavedModel.

        Args:
            saved_model: local folder.
            info: the trainer's model.json.
            max_pixels: of an image.
            reason: why not another engine.
        """
        import tensorflow as tf

        self._tf = tf
        model = tf.saved_model.load(saved_model)
        on_gpu = bool(tf.config.get_visible_devices("GPU"))
        self._classify = tf.function(model.classify_pixels, jit_compile=True) if on_gpu else model.classify_pixels
        self._model, self._max_pixels = model, max_pixels
        self.name, self.reason = TENSORFLOW, reason
        self.classes, self.image_size = tuple(info["classes"]), info["image_size"]
        self.known_threshold = known_threshold(info)

    def pixels(self, data: bytes) -> Pixels:
        """See `Engine`."""
        normalised = normalise_image(data, self._max_pixels).data
        pixels: Pixels = self._model.pixels(self._tf.constant([normalised])).numpy()[0]
        return pixels

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """See `Engine`."""
        answer: NDArray[np.float32] = self._classify(self._tf.constant(pixels)).numpy()
        return answer


def load_engine(saved_model: str, choice: EngineName, max_pixels: int, threads: int = 0) -> Engine:
    """Loads a pushed model with the fastest engine that was proven for it.

    Args:
        saved_model: local folder of the version.
        choice: auto, or the one engine to take.
        max_pixels: of an image.
        threads: that work on one batch; 0: one for each core.

    Raises:
        EngineError: if this project did not export the model, or `choice` was not proven.
    """
    info = read_model_info(saved_model)
    if not info.get("classes") or "image_size" not in info:
        raise EngineError(f"{saved_model} has no model.json with its classes: this project did not export it")
    reason = f"engine {TENSORFLOW} was chosen"
    if choice != TENSORFLOW:
        content, reason = proven_onnx(saved_model) if choice != "auto" or not has_gpu() else (None, "there is a GPU")
        if content is not None:
            return OnnxEngine(content, info, max_pixels, threads)
        if choice == ONNX_RUNTIME:
            raise EngineError(f"{saved_model} cannot be served by ONNX Runtime: {reason}; use --engine tensorflow")
    try:
        return TensorFlowEngine(saved_model, info, max_pixels, reason)
    except ImportError as error:
        raise EngineError(f"{saved_model} needs TensorFlow, which is not installed here, because {reason}") from error


def warm_up(engine: Engine) -> None:
    """Asks the network once: the first answer allocates memory and chooses kernels."""
    engine.probabilities(np.zeros((1, engine.image_size, engine.image_size, 3), np.uint8))


def is_known(probabilities: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Tells of each row of (batch, classes) whether its largest probability reaches a threshold, as the SavedModel."""
    known: NDArray[np.bool_] = probabilities.max(axis=1) >= np.float32(threshold)
    return known


def has_gpu() -> bool:
    """Whether TensorFlow may find a GPU here; TensorFlow itself takes seconds to tell."""
    return os.path.exists("/dev/nvidia0") and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1")  # noqa: PTH110


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
