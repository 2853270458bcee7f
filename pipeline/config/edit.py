"""Sets values in a pipeline.yaml and leaves all else, comments too, as it is."""

import secrets
from collections.abc import Mapping
from pathlib import Path

import yaml

from components.common import files
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError
from pipeline.config.yaml_text import compose, read_config_text


def set_values(path: Path, section: str, values: Mapping[str, float]) -> None:
    """Replaces numbers of a section in place; the file is replaced as a whole or not at all.

    Raises:
      ConfigError: the file lacks one of the keys, or is none that can be loaded afterwards.
    """
    text = read_config_text(path)
    nodes = _nodes(path, text, section, values)
    for name in sorted(values, key=lambda name: nodes[name].start_mark.index, reverse=True):
        node = nodes[name]
        text = f"{text[: node.start_mark.index]}{values[name]:g}{text[node.end_mark.index :]}"
    # Beside it, since relative paths in it start there.
    new = path.with_name(f".{secrets.token_hex(8)}.yaml")
    try:
        files.write_text(str(new), text)
        load_config(new)
    finally:
        new.unlink(missing_ok=True)
    files.write_text(str(path), text)


def check_can_set(path: Path, section: str, values: Mapping[str, float]) -> None:
    """Whether `set_values` will find the keys; to be asked before what takes hours to find the values.

    Args:
      path: of the file.
      section: with the keys.
      values: to set, or examples of them.

    Raises:
      ConfigError: the file lacks one of the keys.
    """
    _nodes(path, read_config_text(path), section, values)


def _nodes(path: Path, text: str, section: str, values: Mapping[str, float]) -> dict[str, yaml.Node]:
    """Where the keys' values stand."""
    root = compose(text, path.name)
    entries = {key.value: value for key, value in root.value} if isinstance(root, yaml.MappingNode) else {}
    found = entries.get(section)
    nodes = {key.value: value for key, value in found.value} if isinstance(found, yaml.MappingNode) else {}
    missing = [name for name in values if name not in nodes]
    if missing:
        lines = ", ".join(f"{name}: {values[name]:g}" for name in missing)
        raise ConfigError(f"{path} has no {section}.{missing[0]} to replace; add to its {section} section: {lines}")
    return nodes
