"""Initial weights: ImageNet's as published by Keras, a file of one's own, or none.

Four layouts are read, all by layer name: the HDF5 of the published files (`efficientnetb0.h5`; also what Keras 2 and
`model.save("x.h5")` write), Keras 3's `.weights.h5`, the same inside a `.keras` archive, and the SavedModel of a pushed
version. A file may come from this network or from keras.applications. Only the classifier may differ or be missing; it
then keeps its initial weights, and the result says so.
"""

import io
import logging
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
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

Arrays = Mapping[str, list[NDArray[np.generic]]]
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
    if path.is_dir():
        arrays = _read_saved_model(model, path)
    elif path.is_file():
        arrays = _read(path)
    else:
        raise FileNotFoundError(f"There is no weight file {path}: expected imagenet, none, or the path of a file.")
    layers, skipped = _assign(model, arrays, path)
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


def _read(path: Path) -> Arrays:
    """Read a weight file of any of the three layouts; layers without weights are left out."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
                return _read_keras3(file)
        with h5py.File(path) as file:
            group = file.get("model_weights", file)
            return _read_legacy(group) if "layer_names" in group.attrs else _read_keras3(file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a weight file of Keras (.h5, .weights.h5, .keras): {error}") from error


def _read_saved_model(model: keras.Model, path: Path) -> Arrays:
    """Read what `export_model` wrote: the variables in the order of the network's, and of no other's."""
    import tensorflow as tf  # a SavedModel is TensorFlow's, whatever Keras' backend

    variables = path / "variables" / "variables"
    if not variables.with_suffix(".index").is_file():
        raise ValueError(f"{path} is no SavedModel: expected a pushed version, or the path of a weight file.")
    stored = tf.train.load_checkpoint(str(variables))
    names = {id(variable): _VARIABLE.format(number) for number, variable in enumerate(model.variables)}
    exported = sum(name.startswith(_VARIABLE.partition("{")[0]) for name in stored.get_variable_to_shape_map())
    if exported != len(names):
        raise ValueError(f"{path} does not fit {model.name}: it has {exported} variables, the model {len(names)}.")
    return {
        layer.name: [stored.get_tensor(names[id(weight)]) for weight in layer.weights]
        for layer in model.layers
        if layer.weights
    }


def _read_legacy(group: h5py.Group) -> Arrays:
    layers = {}
    for name in _strings(group.attrs["layer_names"]):
        weights = [np.asarray(group[name][weight]) for weight in _strings(group[name].attrs["weight_names"])]
        if weights:
            layers[_own_name(name)] = weights
    return layers


def _read_keras3(file: h5py.File) -> Arrays:
    layers = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        # The groups are numbered by class, but each records the name of its layer.
        if path.endswith("vars") and len(item) and "name" in item.attrs:
            weights = [np.asarray(item[str(index)]) for index in range(len(item))]
            layers[_own_name(item.attrs["name"])] = weights

    file["layers"].visititems(visit)
    return layers


def _strings(values: Iterable[bytes | str]) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _own_name(name: str) -> str:
    """Undo the number that Keras gives to the second unnamed normalisation layer of a process."""
    return re.sub(rf"^{NORMALIZATION}_\d+$", NORMALIZATION, name)


def _assign(model: keras.Model, arrays: Arrays, path: Path) -> tuple[int, str | None]:
    """Check that all layers but the classifier agree, then assign them; return their number and what was skipped."""
    own = {layer.name: layer for layer in model.layers if layer.weights}
    strange = (own.keys() ^ arrays.keys()) - {CLASSIFIER}
    if strange:
        raise ValueError(
            f"{path} does not fit {model.name}: layers in only one of the two are {', '.join(sorted(strange)[:3])}"
            f"{' and others' if len(strange) > 3 else ''}; it is probably of another variant."
        )
    chosen = {}
    skipped = None
    for name in own.keys() | arrays.keys():
        found = [array.shape for array in arrays.get(name, [])]
        expected = [tuple(weight.shape) for weight in own[name].weights] if name in own else []
        if found == expected:
            chosen[name] = arrays[name]
        elif name == CLASSIFIER:
            skipped = (
                f"The classifier in {path} was not loaded: its weights have shapes {found or 'none'}, "
                f"the model's {expected or 'none'}."
            )
        else:
            raise ValueError(f"{path} does not fit {model.name}: layer {name} has {found} instead of {expected}.")
    for name, weights in chosen.items():
        own[name].set_weights(_true_variance(weights) if name == NORMALIZATION else weights)
    return len(chosen), skipped


def _true_variance(weights: list[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """Square the variance where it is the standard deviation, as in the published files (tensorflow#49930)."""
    mean, variance, count = weights
    return [mean, np.square(variance) if np.allclose(variance, IMAGENET_STDDEV) else variance, count]
