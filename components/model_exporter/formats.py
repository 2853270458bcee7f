"""The formats that a SavedModel of this project can be converted to, and how a converted model is queried.

A converted model takes pixels, uint8 (batch, size, size, 3) as the SavedModel's `pixels` gives them, and answers
`probabilities`: the formats have no image decoder. LiteRT's batch is 1.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
Answer = Callable[[Pixels], Probabilities]
"""From pixels, uint8 (batch, size, size, 3), to probabilities (batch, classes)."""

FILES = {"litert_float16": "model_float16.tflite", "litert_int8": "model_int8.tflite", "onnx": "model.onnx"}
ONNX_OPSET = 17  # read by ONNX Runtime 1.12 (2022) and later


class ExportedModel(Protocol):
    """What `tf.saved_model.load` returns for a model of this project, as far as it is used; see `trainer.export`."""

    def pixels(self, image: tf.Tensor) -> tf.Tensor:
        """Encoded bytes (batch,) to what the network sees, uint8 (batch, size, size, 3)."""

    classify_pixels: tf.types.experimental.GenericFunction  # from those to probabilities (batch, classes)


def convert(model: ExportedModel, name: str, representative: Iterable[Pixels]) -> bytes:
    """Returns a loaded SavedModel in the format `name`.

    Args:
        model: what `tf.saved_model.load` gave; it has `classify_pixels`.
        name: one of `FILES`.
        representative: images, uint8 (size, size, 3), over which int8's ranges are measured; others do not look at it.

    Raises:
        ValueError: if there is no such format.
    """
    if name == "onnx":
        return _to_onnx(model)
    if name in FILES:
        return _to_litert(model, representative if name == "litert_int8" else None)
    raise ValueError(f"got the format {name!r}, expected one of {', '.join(FILES)}")


def load(name: str, content: bytes) -> Answer:
    """Returns a function that asks a converted model, on the CPU."""
    return _load_onnx(content) if name == "onnx" else _load_litert(content)


def _to_litert(model: ExportedModel, representative: Iterable[Pixels] | None) -> bytes:
    (pixels,) = model.classify_pixels.get_concrete_function().structured_input_signature[0]
    one = tf.TensorSpec([1, *pixels.shape[1:]], pixels.dtype, name="pixels")
    classify = tf.function(lambda pixels: {"probabilities": model.classify_pixels(pixels)}, input_signature=[one])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([classify.get_concrete_function()], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if representative is None:
        converter.target_spec.supported_types = [tf.float16]
    else:
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in representative)
        # Without floating-point kernels to fall back on, the conversion fails where it would stay at four bytes.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converted: bytes = converter.convert()
    return converted


def _load_litert(content: bytes) -> Answer:
    # TensorFlow announces that the interpreter moves to a package of its own (ai-edge-litert); 2.21 still has it.
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (pixels,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()

    def answer(batch: Pixels) -> Probabilities:
        answers = []
        for image in batch:
            interpreter.set_tensor(pixels["index"], image[np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(probabilities["index"])[0])
        return np.stack(answers)

    return answer


def _to_onnx(model: ExportedModel) -> bytes:
    import tf2onnx

    (pixels,) = model.classify_pixels.get_concrete_function().structured_input_signature[0]
    signature = [tf.TensorSpec(pixels.shape, pixels.dtype, name="pixels")]
    classify = tf.function(lambda pixels: {"probabilities": model.classify_pixels(pixels)}, input_signature=signature)
    converted, _ = tf2onnx.convert.from_function(classify, input_signature=signature, opset=ONNX_OPSET)
    serialized: bytes = converted.SerializeToString()
    return serialized


def _load_onnx(content: bytes) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(["probabilities"], {"pixels": batch})[0]
