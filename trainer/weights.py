"""Initial weights: ImageNet's as published by Keras, a file of one's own, or none.

Four layouts are read, all by layer name: the HDF5 of the published files (`efficientnetb0.h5`; also what Keras 2 and
`model.save("x.h5")` write), Keras 3's `.weights.h5`, the same inside a `.keras` archive, and the SavedModel of a pushed
version. A file may come from this network or from keras.applications. Only the classifier may differ or be missing; it
then keeps its initial weights, and the result says so.
"""

import contextlib
import io
import logging
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
from keras.src.applications.efficientnet import BASE_WEIGHTS_PATH, WEIGHTS_HASHES
from numpy.typing import NDArray

from trainer.layers import IMAGENET_STDDEV

CLASSIFIER = "predictions"
_VARIABLE = "model_variables/{}/.ATTRIBUTES/VARIABLE_VALUE"  # of a SavedModel, as `trainer.export` names them
NORMALIZATION = "normalization"

# What a file may hold beside the weights, over their size: an optimiser's moments and averages, and a classifier of
# many classes. A .keras archive of 6 MB can unpack to 11 GB.
MOST_TIMES, MOST_BESIDE = 8, 256 * 1024 * 1024  # bytes
# What the readers raise over files that are none, or were made to harm.
_DAMAGE = (
    OSError, KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError, EOFError, MemoryError,
    OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class StoredWeight:
    """A weight that was not read yet: a file of a few bytes can claim terabytes."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[np.generic]]


Stored = Mapping[str, list[StoredWeight]]
"""Weights by layer name, in the layer's own order."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_weights` did."""

    source: str  # the file; "none" where nothing was loaded
    layers: int = 0  # how many layers were loaded
    skipped: str | None = None  # why the classifier was left as it was; None where it was loaded, too


def load_weights(model: keras.Model, weights: str | Path, variant: str | None = None) -> LoadedWeights:
    """Load weights into a model from `build_efficientnet`, in place.

    Args:
        model: the model; with a classifier of any width, or without one.
        weights: "imagenet", "none", or the path of an .h5, .weights.h5 or .keras file, or of a pushed SavedModel.
        variant: "b0" to "b7"; needed for "imagenet", of which all but the classifier is loaded.

    Returns:
        What was loaded and what was skipped; the latter is logged as a warning, too.

    Raises:
        FileNotFoundError: there is no such file.
        ConnectionError: the published file is not in Keras' cache and could not be downloaded.
        ValueError: the file's layers or shapes are not the model's, or it is no weight file.
    """
    if str(weights) == "none":
        return LoadedWeights("none")
    path = published_file(variant) if str(weights) == "imagenet" else Path(weights).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"There is no weight file {path}: expected imagenet, none, or the path of a file.")
    with contextlib.ExitStack() as opened:
        with _named(path):
            stored = _list_saved_model(model, path) if path.is_dir() else _list(path, model, opened)
        layers, skipped = _assign(model, stored, path)
    if skipped:
        logger.warning("%s", skipped)
    return LoadedWeights(str(path), layers, skipped)


def published_file(variant: str | None, *, include_top: bool = False) -> Path:
    """Return the path of Keras' published ImageNet weights, downloaded into Keras' cache where they are not there yet.

    Args:
        variant: "b0" to "b7".
        include_top: the file with ImageNet's classifier of 1,000 classes.

    Raises:
        ValueError: nothing is published for the variant.
        ConnectionError: the download failed.
    """
    if variant not in WEIGHTS_HASHES:
        raise ValueError(
            f"No ImageNet weights are published for {variant}: expected one of {', '.join(WEIGHTS_HASHES)}; "
            "use none, or the path of a file."
        )
    md5 = WEIGHTS_HASHES[variant][0 if include_top else 1]
    name = f"efficientnet{variant}{'' if include_top else '_notop'}.h5"
    url = BASE_WEIGHTS_PATH + name
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        return Path(keras.utils.get_file(name, url, cache_dir=cache, cache_subdir="models", file_hash=md5))
    except Exception as error:  # get_file raises Exception itself where the network fails
        reason = " ".join(str(error).split())
        raise ConnectionError(
            f"Could not get {url} ({reason}): download it where there is a network and put it at "
            f"{cache / 'models' / name} (md5 {md5}), or set the weights to none."
        ) from error


class _Unfit(ValueError):
    """A file that is sound, and not of this network."""


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Has what a reader says of a file say which."""
    damage: tuple[type[BaseException], ...] = _DAMAGE
    what = "weight file of Keras (.h5, .weights.h5, .keras)"
    if path.is_dir():
        import tensorflow as tf

        damage, what = (*_DAMAGE, tf.errors.OpError), "SavedModel: expected a pushed version"
    try:
        yield
    except _Unfit:
        raise
    except damage as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} is not a {what}, or is damaged: {reason}") from error


def _list(path: Path, model: keras.Model, opened: contextlib.ExitStack) -> Stored:
    """List what a weight file of any of the three layouts holds, layers without weights left out."""
    source: Path | io.BytesIO = path
    if path.suffix == ".keras":
        archive = opened.enter_context(zipfile.ZipFile(path))
        entry = archive.getinfo("model.weights.h5")
        most = MOST_TIMES * sum(np.prod(weight.shape) * 4 for weight in model.weights) + MOST_BESIDE
        if entry.file_size > most:
            raise _Unfit(
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
        raise _Unfit(f"{path} is no SavedModel: expected a pushed version, or the path of a weight file.")
    stored = tf.train.load_checkpoint(str(variables))
    shapes = stored.get_variable_to_shape_map()
    names = {id(variable): _VARIABLE.format(number) for number, variable in enumerate(model.variables)}
    exported = sum(name.startswith(_VARIABLE.partition("{")[0]) for name in shapes)
    if exported != len(names):
        raise _Unfit(f"{path} does not fit {model.name}: it has {exported} variables, the model {len(names)}.")

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


def _assign(model: keras.Model, stored: Stored, path: Path) -> tuple[int, str | None]:
    """Check that all layers but the classifier agree, then read and assign; return how many, and what was skipped."""
    own = {layer.name: layer for layer in model.layers if layer.weights}
    strange = (own.keys() ^ stored.keys()) - {CLASSIFIER}
    if strange:
        raise ValueError(
            f"{path} does not fit {model.name}: layers in only one of the two are {', '.join(sorted(strange)[:3])}"
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
                f"The classifier in {path} was not loaded: its weights have shapes {found or 'none'}, "
                f"the model's {expected or 'none'}."
            )
        else:
            raise ValueError(f"{path} does not fit {model.name}: layer {name} has {found} instead of {expected}.")
    with _named(path):
        arrays = {name: [weight.read() for weight in stored[name]] for name in chosen}
    for name, weights in arrays.items():
        own[name].set_weights(_true_variance(weights) if name == NORMALIZATION else weights)
    return len(chosen), skipped


def _true_variance(weights: list[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """Square the variance where it is the standard deviation, as in the published files (tensorflow#49930)."""
    mean, variance, count = weights
    return [mean, np.square(variance) if np.allclose(variance, IMAGENET_STDDEV) else variance, count]
