"""Sets values in a pipeline.yaml, by ruamel.yaml: comments, order and layout stay."""

import io
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import SingleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from components.common import files
from pipeline.config.load import load_config
from pipeline.config.model import ConfigError
from pipeline.config.yaml_text import parse, read_config_text

Scalar = str | float | bool
"""A value of pipeline.yaml."""

ONE_LINE = 1_000_000  # columns: no line is wrapped
# A section's first key. How lists are indented ruamel.yaml finds out, but of sections only where there is no list.
_NESTED = re.compile(r"^\w[^\n#]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( +)\w", re.MULTILINE)


class _Representer(RoundTripRepresenter):
    """Writes what PyYAML, which reads the file, takes for the same value."""

    def represent_none(self, data: None) -> ScalarNode:
        """`null`, as pipeline.yaml has it, instead of nothing."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")

    def represent_number(self, data: float) -> ScalarNode:
        """1.0e-06, as 1e-06 is a text in YAML 1.1."""
        return self.represent_scalar("tag:yaml.org,2002:float", yaml.safe_dump(data).split()[0])


_Representer.add_representer(type(None), _Representer.represent_none)
_Representer.add_representer(float, _Representer.represent_number)


def with_values(text: str, values: Mapping[str, Scalar]) -> str:
    """A pipeline.yaml's text with other values; all else stays, but for `null` instead of ~ or of nothing.

    Args:
      text: of the file.
      values: by dotted key, such as "train.epochs".

    Raises:
      KeyError: a key is not in the text; its arguments are all such keys.
      YAMLError: the text is not YAML.
    """
    _, items, dash = load_yaml_guess_indent(text)
    nested = _NESTED.search(text)
    editor = YAML()
    editor.Representer = _Representer
    editor.preserve_quotes = True
    editor.width = ONE_LINE
    editor.indent(mapping=len(nested[1]) if nested else None, sequence=items, offset=dash)
    document = editor.load(text)
    if missing := [dotted for dotted in values if _section_of(document, dotted) is None]:
        raise KeyError(*missing)
    for dotted, value in values.items():
        if (section := _section_of(document, dotted)) is not None:
            section[dotted.rpartition(".")[2]] = _as_read(value)
    changed = io.StringIO()
    editor.dump(document, changed)
    return changed.getvalue()


def set_values(path: Path, values: Mapping[str, float]) -> None:
    """Replaces numbers in a file, as a whole or not at all.

    Args:
      path: of the file.
      values: by dotted key.

    Raises:
      ConfigError: the file lacks one of the keys, or cannot be loaded afterwards.
    """
    text = _changed(path, {key: float(f"{value:g}") for key, value in values.items()})
    # Beside it, since relative paths in it start there.
    new = path.with_name(f".{secrets.token_hex(8)}.yaml")
    try:
        files.write_text(str(new), text)
        load_config(new)
    finally:
        new.unlink(missing_ok=True)
    files.write_text(str(path), text)


def check_can_set(path: Path, values: Mapping[str, float]) -> None:
    """Does nothing if `set_values` will find the keys; for a check before the hours that finding the values takes.

    Args:
      path: of the file.
      values: to set, or examples of them.

    Raises:
      ConfigError: the file lacks one of the keys, or is not YAML.
    """
    _changed(path, values)


def _changed(path: Path, values: Mapping[str, float]) -> str:
    text = read_config_text(path)
    parse(text, path.name)  # within bounds, which ruamel.yaml does not check
    try:
        return with_values(text, values)
    except KeyError as error:
        lines = ", ".join(f"{key}: {values[key]:g}" for key in error.args)
        raise ConfigError(f"{path} has no {error.args[0]} to replace; add to it: {lines}") from error
    except YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error


def _section_of(document: object, dotted: str) -> CommentedMap | None:
    """The section that has the key; None if there is none."""
    *names, key = dotted.split(".")
    section = document
    for name in names:
        section = section.get(name) if isinstance(section, CommentedMap) else None
    return section if isinstance(section, CommentedMap) and key in section else None


def _as_read(value: Scalar) -> Scalar:
    """The value, quoted where PyYAML, which reads YAML 1.1, would take it for another one, such as `yes`."""
    if not isinstance(value, str):
        return value
    try:
        same = yaml.safe_load(value) == value
    except yaml.YAMLError:
        same = False
    return value if same else SingleQuotedScalarString(value)
