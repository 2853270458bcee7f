"""Errors in a pipeline.yaml or a `--set`, in one line: the place, what was got, what was expected."""

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from components.common.json_types import Parsed

Path = tuple[str, ...]
LIMITS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))
PLAIN: dict[object, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def key_lines(node: yaml.Node | None, prefix: Path = ()) -> dict[Path, int]:
    """Maps the path of every key in a YAML document to its line, counted from 1.

    Raises:
      yaml.MarkedYAMLError: a key appears twice.
    """
    lines: dict[Path, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*prefix, str(key.value))
            if path in lines:
                raise yaml.MarkedYAMLError(problem=f"{'.'.join(path)} appears twice", problem_mark=key.start_mark)
            lines[path] = key.start_mark.line + 1
            lines |= key_lines(value, path)
    return lines


def explain(
    error: ValidationError,
    root: type[BaseModel],
    values: Mapping[str, Parsed],
    file_name: str,
    lines: Mapping[Path, int],
    overrides: Sequence[str],
) -> str:
    """One line for everything that pydantic found wrong.

    Args:
      error: what it found.
      root: the model of the whole file.
      values: what was validated.
      file_name: where it comes from.
      lines: of `key_lines`.
      overrides: `section.key=value`, which came on top of it.
    """
    problems: dict[str, None] = {}  # in order, each once: pydantic has one for each alternative of a value
    overridden = [override.partition("=")[0] for override in overrides]
    for problem in error.errors():
        loc = tuple(str(part) for part in problem["loc"])
        path, kind = _resolve(loc, root)
        where = _where(path, problem["type"] == "missing", file_name, lines, overridden)
        if kind is not None:
            got = "" if "alerts" in path else f"got {_value(values, path)!r}, "
            text = f"{got}expected {' or '.join(_alternatives(kind))}"
        elif problem["type"] == "extra_forbidden":
            text = f"unknown key{_nearest(loc, root)}"
        elif problem["type"] == "missing":
            text = "is required"
        elif problem["type"] == "value_error":  # raised by our own validators, which say what they got
            text = problem["msg"].removeprefix("Value error, ")
        elif "alerts" in path:  # an address in the wrong place is still a secret
            text = problem["msg"]
        else:
            text = f"{problem['msg']}; got {problem['input']!r}"
        problems[f"{where}: {text}"] = None
    return "; ".join(problems)


def _where(path: Path, missing: bool, file_name: str, lines: Mapping[Path, int], overridden: Sequence[str]) -> str:
    """A place in the file, or the `--set` that is meant."""
    dotted = ".".join(path)
    if any(f"{name}.".startswith(f"{dotted}.") or f"{dotted}.".startswith(f"{name}.") for name in overridden if dotted):
        return f"--set {dotted}"
    known = [path[:length] for length in range(len(path), 0, -1) if path[:length] in lines]
    if known and not missing:
        return f"{file_name} line {lines[known[0]]}: {dotted}"
    return f"{file_name}: {dotted}" if dotted else file_name


def _resolve(loc: Path, root: object) -> tuple[Path, object]:
    """The part of a location that is in the file, and the type there if pydantic went on into alternatives."""
    kind: object = root
    for position, name in enumerate(loc):
        while get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if get_origin(kind) in (Union, types.UnionType):
            others = [one for one in get_args(kind) if one is not type(None)]
            if len(others) > 1:
                return loc[:position], kind
            kind = others[0]
        kind = _inside(kind, name)
    return loc, None


def _inside(kind: object, name: str) -> object:
    """The type of an entry of that name in a section, a mapping or a sequence; None if there is none."""
    fields = getattr(kind, "model_fields", None)
    if fields is not None:
        return fields[name].annotation if name in fields else None
    return next((arg for arg in reversed(get_args(kind)) if arg is not ...), None)


def _alternatives(kind: object) -> Iterator[str]:
    """What a value of that type may be, in words."""
    if get_origin(kind) in (Union, types.UnionType):
        for one in get_args(kind):
            yield from _alternatives(one)
    elif get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        limits = [limit for note in notes if isinstance(note, FieldInfo) for limit in note.metadata]
        for text in _alternatives(inner):
            yield text + _limits(limits)
    elif get_origin(kind) is Literal:
        yield ", ".join(map(str, get_args(kind)))
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        entries = ((name, _alternatives(field.annotation), field.metadata) for name, field in kind.model_fields.items())
        yield "{" + "; ".join(f"{name}: {' or '.join(texts)}{_limits(limits)}" for name, texts, limits in entries) + "}"
    elif kind is type(None):
        yield "null"
    else:
        yield PLAIN.get(kind, getattr(kind, "__name__", str(kind)))


def _limits(limits: Sequence[object]) -> str:
    """Such as " of at least 1"."""
    told = [
        f"{text} {bound:g}"
        for limit in limits
        for name, text in LIMITS
        if (bound := getattr(limit, name, None)) is not None
    ]
    return f" of {' and '.join(told)}" if told else ""


def _value(values: Parsed, path: Path) -> Parsed:
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else values[int(name)]
    return values


def _nearest(loc: Path, root: type[BaseModel]) -> str:
    """Suggests the valid key that is most similar to the last of `loc`."""
    kind: object = root
    for name in loc[:-1]:
        kind = _inside(kind, name)
    valid = list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
    close = difflib.get_close_matches(loc[-1], valid, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; valid here: {', '.join(valid)}"
