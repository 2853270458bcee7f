"""Pushed versions for tests of the server: a real ONNX network that tells red, green and blue apart."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from components.common.model_info import KNOWN_THRESHOLD, write_model_info
from components.serving_engine.proof import ONNX_FILE, ONNX_RUNTIME, EngineProof, write_proof

COLOURS = ("red", "green", "blue")
SIZE = 16
PIXELS = {"image_size": SIZE, "transform.resize": "squash", "transform.margin": 0}
STORED = {"transform.format": "png", "transform.jpeg_quality": 95}


def write_version(
    push_path: Path,
    version: int | str,
    classes: Sequence[str] = COLOURS,
    problem: str = "",
    network: bytes = b"",
    known: float | None = None,
) -> Path:
    """Writes a version whole, as a push does; with a `problem` its ONNX file was not proven.

    Without a `network` it tells colours apart. With `known`, the least probability of a known answer, it says so.
    """
    folder = push_path / f".incoming-{version}"
    content = network or colour_network(len(classes))
    (folder / "assets.extra").mkdir(parents=True)
    (folder / ONNX_FILE).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    write_proof(str(folder), EngineProof(ONNX_RUNTIME, 9, 1e-7, 1e-5, {}, digest, problem))
    says = {} if known is None else {KNOWN_THRESHOLD: known}
    write_model_info(str(folder), {"classes": list(classes), "variant": "b0", **PIXELS, **STORED, **says})
    (folder / "assets.extra" / "model_card.md").write_text("# Colours\n\nTells <b>colours</b> apart.\n")
    (folder / "saved_model.pb").write_bytes(signatures())
    (folder / "fingerprint.pb").write_bytes(f"{version} {classes}".encode())
    folder.rename(push_path / str(version))
    return push_path / str(version)


def colour_network(classes: int) -> bytes:
    """The mean colour, through a softmax: uint8 pixels (batch, size, size, 3) to probabilities (batch, classes)."""
    from onnx import helper

    nodes = [helper.make_node("MatMul", ["mean", "weights"], ["logits"])]
    return _network(classes, nodes, {"weights": np.eye(3, classes, dtype=np.float32) / 20})


def brightness_network(levels: Sequence[float]) -> bytes:
    """Which of `levels`, 0 to 255, an image's mean brightness is next to; shapes as of `colour_network`."""
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMean", ["mean"], ["brightness"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["brightness", "levels"], ["distance"]),
        helper.make_node("Abs", ["distance"], ["far"]),
        helper.make_node("Mul", ["far", "scale"], ["logits"]),
    ]
    constants = {"levels": np.float32([levels]), "scale": np.float32([-1 / 50])}
    return _network(len(levels), nodes, constants)


def _network(classes: int, nodes: list, constants: dict[str, np.ndarray]) -> bytes:
    """From the mean colour, (batch, 3), by `nodes` to the logits of a softmax."""
    from onnx import TensorProto, helper, numpy_helper

    ends = [
        helper.make_node("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=0),
        *nodes,
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        ends,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def signatures() -> bytes:
    """A SavedModel that has nothing but the signatures of this project's models."""
    from pipeline.serving.server.protos import saved_model_pb2, types_pb2
    from pipeline.serving.server.signatures import INPUT_OF

    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    for name, input_name in INPUT_OF.items():
        definition = graph.signature_def[name]
        definition.method_name = "tensorflow/serving/predict"
        definition.inputs[input_name].name = f"{name}_{input_name}:0"
        definition.inputs[input_name].dtype = types_pb2.DT_STRING
        definition.inputs[input_name].tensor_shape.dim.add(size=-1)
        definition.outputs["class_id"].dtype = types_pb2.DT_INT64
    graph.signature_def["__saved_model_init_op"].method_name = ""
    return model.SerializeToString()


def image(colour: str = "red", image_format: str = "PNG", side: int = 20, **options: object) -> bytes:
    """An encoded picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(stream, image_format, **options)
    return stream.getvalue()
