"""Initial weights: ImageNet's as published by Keras, a file of one's own or of another project, or none.

Five layouts are read, all by layer name: timm's safetensors, the HDF5 of the published files (`efficientnetb0.h5`; also
what Keras 2 and `model.save("x.h5")` write), Keras 3's `.weights.h5`, the same inside a `.keras` archive, and the
SavedModel of a pushed version. A file may come from this network or from keras.applications. Only the classifier may
differ or be missing; it then keeps its initial weights, and the result says so.
"""

import contextlib
import io
import logging
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from trainer.layers import IMAGENET_STDDEV
from trainer.pretrained.obtain import is_url, obtain, shown
from trainer.pretrained.stored import Stored, StoredWeight, Unfit
from trainer.pretrained.timm import SUFFIX, read_timm
from trainer.scaling import Variant, get_variant

CLASSIFIER = "predictions"
_VARIABLE = "model_variables/{}/.ATTRIBUTES/VARIABLE_VALUE"  # of a SavedModel, as `trainer.export` names them
NORMALIZATION = "normalization"

# What a file may hold beside the weights, over their size: an optimiser's moments and averages, and a classifier of
# many classes. A .keras archive of 6 MB can unpack to 11 GB.
MOST_TIMES, MOST_BESIDE = 8, 256 * 1024 * 1024  # bytes
# What the readers raise over files that are none, or were made to harm.
_DAMAGE = (
    OSError, KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError, EOFError, MemoryError,
    OverflowError, zipfile.BadZipFile, zlib.error, SafetensorError,
)  # fmt: skip


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_weights` did."""

    source: str  # the file; "none" where nothing was loaded
    layers: int = 0  # how many layers were loaded
    skipped: str | None = None  # why the classifier was left as it was; None where it was loaded, too


def load_weights(
    model: keras.Model, weights: str | Path, variant: str | Variant | None = None, sha256: str | None = None
) -> LoadedWeights:
    """Load weights into a model from `build_efficientnet`, in place.

    Args:
        model: the model; with a classifier of any width, or without one.
        weights: "imagenet"; "none"; the path or URL of an .h5, .weights.h5, .keras or timm's .safetensors file; or the
            path of a pushed SavedModel.
        variant: the model's; needed for "imagenet", of which all but the classifier is loaded, and for timm's files.
        sha256: what the file has to hash to; needed for a URL.

    Returns:
        What was loaded and what was skipped; the latter is logged as a warning, too.

    Raises:
        FileNotFoundError: there is no such file.
        ConnectionError: the file could not be downloaded.
        ValueError: the file's hash, layers or shapes are not the expected ones, or it is no weight file.
    """
    if str(weights) == "none":
        return LoadedWeights("none")
    name = variant.name if isinstance(variant, Variant) else variant
    path = obtain(str(weights), name, sha256)
    origin = shown(str(weights)) if is_url(str(weights)) else str(path)
    with contextlib.ExitStack() as opened:
        with _named(path, origin):
            if path.suffix == SUFFIX:
                if variant is None:
                    raise Unfit(f"{origin} is read for a variant: say which")
                stored, scale = read_timm(path, origin, get_variant(variant), opened)
                stored = {**stored, NORMALIZATION: _normalization(model, scale)}
            elif path.is_dir():
                stored = _list_saved_model(model, path)
            else:
                stored = _list(path, model, opened)
        layers, skipped = _assign(model, stored, path, origin)
    if skipped:
        logger.warning("%s", skipped)
    return LoadedWeights(origin, layers, skipped)


def _normalization(
    model: keras.Model, scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None
) -> list[StoredWeight]:
    """The layer's own weights, or those of other pixels: timm keeps them outside its files."""
    mean, variance, count = model.get_layer(NORMALIZATION).get_weights()
    if scale is not None:
        mean, variance = scale[0], np.square(scale[1])
    return [StoredWeight(value.shape, partial(np.asarray, value)) for value in (mean, variance, count)]


@contextlib.contextmanager
def _named(path: Path, origin: str) -> Iterator[None]:
    """Has what a reader says of a file say which."""
    damage: tuple[type[BaseException], ...] = _DAMAGE
    what = "weight file (.h5, .weights.h5, .keras, .safetensors)"
    if path.is_dir():
        import tensorflow as tf

        damage, what = (*_DAMAGE, tf.errors.OpError), "SavedModel: expected a pushed version"
    try:
        yield
    except Unfit:
        raise
    except damage as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{origin} is not a {what}, or is damaged: {reason}") from error


def _list(path: Path, model: keras.Model, opened: contextlib.ExitStack) -> Stored:
    """List what a weight file of any of the three layouts holds, layers without weights left out."""
    source: Path | io.BytesIO = path
    if path.suffix == ".keras":
        archive = opened.enter_context(zipfile.ZipFile(path))
        entry = archive.getinfo("model.weights.h5")
        most = MOST_TIMES * sum(np.prod(weight.shape) * 4 for weight in model.weights) + MOST_BESIDE
        if entry.file_size > most:
            raise Unfit(
                f"{path} does not fit {model.name}: its weights unpack to {entry.file_size:,} bytes, for this network "
                f"{int(most):,} would be many."
            )
        source = io.BytesIO(archive.read(entry))
    file = opened.enter_context(h5py.File(source))
    if path.suffix == ".keras":
        return _list_keras3(file)
    group = file.get("model_weights", file)
    return _list_legacy(group) if "layer_names" in group.attrs else _list_keras3(file)


def _list_saved_model(model: keras.Model, path: Path) -> Stored:
    """List what `export_model` wrote: the variables in the order of the network's, and of no other's."""
    import tensorflow as tf  # a SavedModel is TensorFlow's, whatever Keras' backend

    variables = path / "variables" / "variables"
    if not variables.with_suffix(".index").is_file():
        raise Unfit(f"{path} is no SavedModel: expected a pushed version, or the path of a weight file.")
    stored = tf.train.load_checkpoint(str(variables))
    shapes = stored.get_variable_to_shape_map()
    names = {id(variable): _VARIABLE.format(number) for number, variable in enumerate(model.variables)}
    exported = sum(name.startswith(_VARIABLE.partition("{")[0]) for name in shapes)
    if exported != len(names):
        raise Unfit(f"{path} does not fit {model.name}: it has {exported} variables, the model {len(names)}.")

    def weight_of(variable: keras.Variable) -> StoredWeight:
        name = names[id(variable)]
        return StoredWeight(tuple(shapes[name]), lambda: stored.get_tensor(name))

    return {layer.name: [weight_of(weight) for weight in layer.weights] for layer in model.layers if layer.weights}


def _list_legacy(group: h5py.Group) -> Stored:
    layers = {}
    for name in _strings(group.attrs["layer_names"]):
        weights = [_weight(group, f"{name}/{weight}") for weight in _strings(group[name].attrs["weight_names"])]
        if weights:
            layers[_own_name(name)] = weights
    return layers


def _list_keras3(file: h5py.File) -> Stored:
    layers = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        # The groups are numbered by class, but each records the name of its layer.
        if path.endswith("vars") and len(item) and "name" in item.attrs:
            layers[_own_name(item.attrs["name"])] = [_weight(item, str(index)) for index in range(len(item))]

    file["layers"].visititems(visit)
    return layers


def _weight(group: h5py.Group, name: str) -> StoredWeight:
    dataset = group[name]
    # HDF5 can take a dataset's bytes from any other file that this user may read.
    if dataset.file.filename != group.file.filename or dataset.external or dataset.is_virtual:
        raise ValueError(f"{name} is in another file")
    if dataset.dtype.kind not in "fiu":
        raise ValueError(f"{name} has values of type {dataset.dtype}, no numbers")
    return StoredWeight(dataset.shape, lambda: np.asarray(dataset))


def _strings(values: Iterable[bytes | str]) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _own_name(name: str) -> str:
    """Undo the number that Keras gives to the second unnamed normalisation layer of a process."""
    return re.sub(rf"^{NORMALIZATION}_\d+$", NORMALIZATION, name)


def _assign(model: keras.Model, stored: Stored, path: Path, origin: str) -> tuple[int, str | None]:
    """Check that all layers but the classifier agree, then read and assign; return how many, and what was skipped."""
    own = {layer.name: layer for layer in model.layers if layer.weights}
    strange = (own.keys() ^ stored.keys()) - {CLASSIFIER}
    if strange:
        raise ValueError(
            f"{origin} does not fit {model.name}: layers in only one of the two are {', '.join(sorted(strange)[:3])}"
            f"{' and others' if len(strange) > 3 else ''}; it is probably of another variant."
        )
    chosen = []
    skipped = None
    for name in own.keys() | stored.keys():
        found = [weight.shape for weight in stored.get(name, [])]
        expected = [tuple(weight.shape) for weight in own[name].weights] if name in own else []
        if found == expected:
            chosen.append(name)
        elif name == CLASSIFIER:
            skipped = (
                f"The classifier in {origin} was not loaded: its weights have shapes {found or 'none'}, "
                f"the model's {expected or 'none'}."
            )
        else:
            raise ValueError(f"{origin} does not fit {model.name}: layer {name} has {found} instead of {expected}.")
    with _named(path, origin):
        arrays = {name: [weight.read() for weight in stored[name]] for name in chosen}
    for name, weights in arrays.items():
        own[name].set_weights(_true_variance(weights) if name == NORMALIZATION else weights)
    return len(chosen), skipped


def _true_variance(weights: list[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """Square the variance where it is the standard deviation, as in the published files (tensorflow#49930)."""
    mean, variance, count = weights
    return [mean, np.square(variance) if np.allclose(variance, IMAGENET_STDDEV) else variance, count]
