"""YAML from elsewhere: read within limits, and refused in one line that names the place."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.config.model import ConfigError

MOST_BYTES = 128 * 1024  # the shipped pipeline.yaml has 13 KB, and 5,000 class names take 100 KB
MOST_DEPTH = 50
MOST_VALUES = 100_000  # aliases expanded, because ten lines of aliases can make a billion
# The parser's errors for an unquoted text such as */5, which it takes for an alias, or @daily.
ALIAS_ERRORS = (yaml.scanner.ScannerError, yaml.composer.ComposerError)
_NESTED = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_ENDED = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
# The parser in C, if installed, only to count: its error messages differ.
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_config_text(path: Path) -> str:
    """The text of a pipeline.yaml.

    Raises:
      ConfigError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; name the file with --config") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(
            f"{path} is larger than {MOST_BYTES // 1024} KB, the limit for a pipeline.yaml; name another file"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path} line {line}: not UTF-8 (byte {error.object[error.start]:#04x}); save the file as UTF-8"
        ) from error


def parse(text: str, name: str, advice: str = "a text that begins with * or @ needs quotes") -> Any:
    """The value of a YAML text.

    Args:
      text: of one document.
      name: what it is called in a message.
      advice: what to do if a text was taken for an alias.

    Raises:
      ConfigError: it is not YAML, is nested too deeply, or its aliases stand for too much.
    """
    return construct(compose(text, name, advice), name)


def construct(root: yaml.Node | None, name: str) -> Any:
    """The value of nodes; `name` and errors are those of `parse`."""
    if root is None:
        return None
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _not_valid(error, name, "") from error
    except (ValueError, AttributeError, OverflowError) as error:  # of a date, or of a number of 5,000 digits
        raise ConfigError(f"{name}: not valid YAML: {error}") from error
    finally:
        loader.dispose()


def compose(text: str, name: str, advice: str = "a text that begins with * or @ needs quotes") -> yaml.Node | None:
    """The nodes of a YAML text, which know their lines; arguments and errors are those of `parse`."""
    _check_depth(text, name)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise _not_valid(error, name, advice) from error
    if root is not None and (values := _count(root, {}, name)) > MOST_VALUES:
        raise ConfigError(f"{name}: its aliases expand to {values:,} values, at most {MOST_VALUES:,} are allowed")
    return root


def _check_depth(text: str, name: str) -> None:
    deep, depth = None, 0
    try:
        for event in yaml.parse(text, Loader=_FAST):
            depth += isinstance(event, _NESTED) - isinstance(event, _ENDED)
            if depth > MOST_DEPTH:
                deep = event
                break
    except (yaml.YAMLError, ValueError):
        return  # `compose` reports what is wrong
    if deep is not None:
        where = f"{name} line {deep.start_mark.line + 1}" if deep.start_mark else name
        raise ConfigError(f"{where}: nested more than {MOST_DEPTH} deep; no setting needs that")


def _count(node: yaml.Node, known: dict[int, int], name: str) -> int:
    """The number of values of a node, aliases expanded; `known` has it for nodes, 0 while they are counted."""
    found = known.get(id(node))
    if found == 0:
        raise ConfigError(f"{name} line {node.start_mark.line + 1}: an alias that contains itself")
    if found is None:
        known[id(node)] = 0
        parts = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
        inside = [] if isinstance(node, yaml.ScalarNode) else parts
        found = known[id(node)] = 1 + sum(_count(one, known, name) for one in inside)
    return found


def _not_valid(error: Exception, name: str, advice: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    where = f"{name} line {mark.line + 1}" if mark else name
    said = f"; {advice}" if advice and isinstance(error, ALIAS_ERRORS) else ""
    return ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}{said}")
