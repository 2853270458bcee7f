"""The safetensors files of timm (PyTorch Image Models), read under this network's layer names.

timm has two families of one architecture and the same tensor names. `tf_efficientnet_*` pads as TensorFlow does and
adds 1e-3 to batch norm's variance, which is this network. `efficientnet_*` pads symmetrically: a strided convolution
then sees other pixels, which no change of weights makes good. The tensors do not tell the two apart. A file has to:
by `architecture` in its metadata or in the config.json beside it (as on the Hugging Face hub), or by its path or URL.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from trainer.pretrained.stored import Stored, StoredWeight, Unfit
from trainer.scaling import Variant, unroll_blocks

SUFFIX = ".safetensors"
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")  # timm's names in the order of Keras' weights
WITH_BIAS = ("weight", "bias")
KERNEL = ("weight",)
NOT_LOADED = ".num_batches_tracked"  # of PyTorch's batch norm
READABLE = {"F16", "F32", "F64"}
DEPTHWISE, POINTWISE, DENSE = (2, 3, 0, 1), (2, 3, 1, 0), (1, 0)  # PyTorch's axes in Keras' order
ARCHITECTURE = re.compile(r"(?:tf_)?efficientnet_[a-z0-9]+")
ADVPROP = re.compile(r"tf_efficientnet_b\d[._]ap[_-]")  # trained on pixels between -1 and 1


class Source(NamedTuple):
    """A layer's weights in timm's file."""

    prefix: str
    names: tuple[str, ...]
    axes: tuple[int, ...]  # of the kernel


class TimmFile(NamedTuple):
    """A file of timm's.

    Attributes:
        stored: weights by layer name; those that no layer of the network has are under their own name.
        scale: mean and standard deviation of the pixels that the weights were trained on, RGB on a scale of 0 to 1;
            None where the file leaves them to the variant.
    """

    stored: Stored
    scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None


def read_timm(path: Path, origin: str, variant: Variant, opened: ExitStack) -> TimmFile:
    """List what a file of timm's holds; nothing is read yet.

    Args:
        path: the file.
        origin: the path or URL that it came from, which may name its architecture.
        variant: of the network.
        opened: keeps the file open until the weights are read.

    Raises:
        Unfit: it is of another network, or does not say of which.
        SafetensorError: it is no safetensors file.
    """
    file: Any = opened.enter_context(safe_open(path, framework="numpy"))
    config = _config_beside(path) if origin == str(path) else {}  # a download has none
    _check_architecture(file.metadata() or {}, config, origin, variant)
    sources = dict(_sources(variant))
    tensors = {name for name in file.keys() if not name.endswith(NOT_LOADED)}  # noqa: SIM118 safetensors has no iterator
    stored: dict[str, list[StoredWeight]] = {}
    for layer, source in sources.items():
        names = [f"{source.prefix}.{name}" for name in source.names]
        found = [name for name in names if name in tensors]
        if found:
            stored[layer] = [_weight(file, name, source.axes, path) for name in found]
        tensors.difference_update(found)
    for name in sorted(tensors):
        stored[name] = [_weight(file, name, (), path)]
    return TimmFile(stored, _scale(config, origin))


def timm_name(variant: Variant) -> str:
    """What timm calls the network."""
    return f"tf_efficientnet_{variant.name}"


def _sources(variant: Variant) -> Iterator[tuple[str, Source]]:
    """Yield the network's layers that have weights, normalisation apart, with their place in timm's file."""
    yield "stem_conv", Source("conv_stem", KERNEL, POINTWISE)
    yield "stem_bn", Source("bn1", BATCH_NORM, ())
    for block in unroll_blocks(variant):
        stage, letter = re.fullmatch(r"block(\d+)(.+)", block.name).groups()  # type: ignore[union-attr]
        timm = f"blocks.{int(stage) - 1}.{ord(letter) - ord('a')}"
        # timm numbers batch norms by their order, and calls the projection of a block without expansion conv_pw.
        parts = [("dwconv", "conv_dw", "bn", DEPTHWISE), ("project_conv", "conv_pwl", "project_bn", POINTWISE)]
        if block.args.expand_ratio == 1:
            parts[1] = ("project_conv", "conv_pw", "project_bn", POINTWISE)
        else:
            parts.insert(0, ("expand_conv", "conv_pw", "expand_bn", POINTWISE))
        for number, (conv, timm_conv, norm, axes) in enumerate(parts, start=1):
            yield f"{block.name}_{conv}", Source(f"{timm}.{timm_conv}", KERNEL, axes)
            yield f"{block.name}_{norm}", Source(f"{timm}.bn{number}", BATCH_NORM, ())
        if block.args.se_ratio:
            for name in ("reduce", "expand"):
                yield f"{block.name}_se_{name}", Source(f"{timm}.se.conv_{name}", WITH_BIAS, POINTWISE)
    yield "top_conv", Source("conv_head", KERNEL, POINTWISE)
    yield "top_bn", Source("bn2", BATCH_NORM, ())
    yield "predictions", Source("classifier", WITH_BIAS, DENSE)


def _weight(file: Any, name: str, axes: tuple[int, ...], path: Path) -> StoredWeight:
    described = file.get_slice(name)
    shape, dtype = tuple(described.get_shape()), described.get_dtype()
    if dtype not in READABLE:
        raise Unfit(f"{path}: {name} is of type {dtype}, expected one of {', '.join(sorted(READABLE))}: convert it")
    turned = len(shape) == len(axes)

    def read() -> NDArray[np.generic]:
        values: NDArray[np.generic] = file.get_tensor(name)
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has values that are not finite")
        return values.transpose(axes) if turned else values

    return StoredWeight(tuple(shape[axis] for axis in axes) if turned else shape, read)


def _check_architecture(metadata: Mapping[str, str], config: Mapping[str, Any], origin: str, variant: Variant) -> None:
    """Refuse a file of another network, and one that does not say of which it is."""
    expected = timm_name(variant)
    said = metadata.get("architecture") or config.get("architecture")
    if not said:
        named = ARCHITECTURE.findall(origin.lower())
        if not named:
            raise Unfit(
                f"{origin} does not say which network it is of (timm's efficientnet_* and tf_efficientnet_* have the "
                f"same tensors and pad differently): if it is {expected}, put it into a folder or file of that name"
            )
        said = named[-1]
    if said == expected:
        return
    if said == expected.removeprefix("tf_"):
        raise Unfit(
            f"{origin} is timm's {said}, which pads symmetrically and whose batch norm adds 1e-5: this network pads as "
            f"TensorFlow does; take {expected}"
        )
    raise Unfit(f"{origin} is of {said}, expected {expected} for model.variant {variant.name}")


def _config_beside(path: Path) -> Mapping[str, Any]:
    """The config.json of a model on the Hugging Face hub; empty if there is none."""
    file = path.parent / "config.json"
    if not file.is_file():
        return {}
    config = json.loads(file.read_bytes())
    return config if isinstance(config, dict) else {}


def _scale(config: Mapping[str, Any], origin: str) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    said = config.get("pretrained_cfg", {})
    if "mean" in said and "std" in said:
        mean, stddev = np.array(said["mean"], float), np.array(said["std"], float)
        if mean.shape != (3,) or stddev.shape != (3,) or not (stddev > 0).all():
            raise Unfit(
                f"{origin}: config.json has mean {said['mean']}, std {said['std']}; expected three numbers each"
            )
        return mean, stddev
    if ADVPROP.search(origin):
        return np.full(3, 0.5), np.full(3, 0.5)
    return None
