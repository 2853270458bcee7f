"""Every setting of pipeline.yaml with its type, default and description, as `docs/settings.md` and `effnet config
explain` show them.

The one source is the model of the configuration: its types, and the docstring below each field. Its first paragraph
says what a setting does, and is also the comment in pipeline.yaml; the rest says when to change it.
"""

import ast
import difflib
import functools
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.config.model import ConfigError, PipelineConfig
from trainer.settings import Settings

ANY_NAME = "<name>"  # in a key: a name that the user chooses, such as that of a step
WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")  # JSON schema's


@dataclass(frozen=True)
class Setting:
    """One setting, or a section of them.

    Attributes:
        key: dotted, such as train.augment.mixup.
        type: what it accepts, in words; empty for a section.
        default: the value that it has where pipeline.yaml says nothing; None as well where there is none.
        required: it has no default.
        summary: one sentence or two on what it does.
        advice: when to change it; may be empty.
    """

    key: str
    type: str
    default: object
    required: bool
    summary: str
    advice: str

    @property
    def shown_default(self) -> str:
        """The default as pipeline.yaml would have it."""
        if self.required:
            return "none: it must be set"
        return self.default if isinstance(self.default, str) else json.dumps(self.default, ensure_ascii=False)

    @property
    def is_section(self) -> bool:
        """Tells whether it holds other settings."""
        return not self.type


def json_schema() -> dict[str, Any]:
    """The JSON schema of pipeline.yaml, with the descriptions of its settings.

    Pydantic can read the docstrings below fields itself, when it makes the classes; every command would wait for that.
    """
    schema = PipelineConfig.model_json_schema()
    for section in _sections(Settings):
        found = schema if section is PipelineConfig else schema["$defs"].get(section.__name__, {"properties": {}})
        for name, description in _descriptions(section).items():
            if name in found["properties"]:
                found["properties"][name]["description"] = description
    return schema


def _sections(section: type[Settings]) -> Iterator[type[Settings]]:
    for below in section.__subclasses__():
        yield from (below, *_sections(below))


def _descriptions(section: type[Settings]) -> dict[str, str]:
    """The docstrings below the fields of a class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(tree.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


@functools.cache
def all_settings() -> tuple[Setting, ...]:
    """All settings and sections in the order of pipeline.yaml, each section before what it holds."""
    schema = json_schema()
    return tuple(_settings_in(schema, "", schema["$defs"]))


def find_setting(key: str) -> Setting:
    """The setting of that key.

    Raises:
        ConfigError: there is none; the message names the nearest.
    """
    known = {setting.key: setting for setting in all_settings()}
    if key in known:
        return known[key]
    last = {name.rpartition(".")[2]: name for name in reversed(known)}
    close = [last[key]] if key in last else difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    advice = f"did you mean `{close[0]}`?" if close else "`effnet config` lists what there is"
    raise ConfigError(f"unknown setting `{key}`; {advice}")


def settings_in(section: str) -> tuple[Setting, ...]:
    """The settings and sections that stand directly in a section, by its key; "" is the file itself."""
    return tuple(one for one in all_settings() if one.key.rpartition(".")[0] == section)


def _settings_in(schema: dict[str, Any], prefix: str, shared: dict[str, Any]) -> list[Setting]:
    found = []
    for name, field in schema["properties"].items():
        key = f"{prefix}{name}"
        inner, suffix = _section_in(field, shared)
        summary, _, advice = field.get("description", "").partition("\n\n")
        type_ = "" if inner and not suffix else _type_of(field, shared)
        required = name in schema.get("required", ())
        default = field.get("default", {} if field.get("type") == "object" else None)
        found.append(Setting(key, type_, default, required, _line(summary), _line(advice)))
        if inner:
            found += _settings_in(inner, f"{key}{suffix}.", shared)
    return found


def _section_in(field: dict[str, Any], shared: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The section that a field is, or that it has any number of, and what then stands in the key."""
    alone = [choice for choice in (field, *field.get("anyOf", ())) if "$ref" in choice]
    if len(alone) == 1:
        return shared[_name(alone[0])], ""
    if "$ref" in field.get("items", {}):
        return shared[_name(field["items"])], "[]"
    if "$ref" in (field.get("additionalProperties") or {}):
        return shared[_name(field["additionalProperties"])], f".{ANY_NAME}"
    return None, ""


def _type_of(field: dict[str, Any], shared: dict[str, Any]) -> str:
    """What a field accepts, in words."""
    if "anyOf" in field:
        return " or ".join(_type_of(choice, shared) for choice in field["anyOf"])
    if "$ref" in field or "properties" in field:
        inside = shared[_name(field)] if "$ref" in field else field
        keys = ", ".join(f"{key}: {_type_of(one, shared)}" for key, one in inside["properties"].items())
        return f"{{{keys}}}"
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if "const" in field:
        return str(field["const"])
    kind = field.get("type")
    if kind == "array" and "prefixItems" in field:  # the ranges of the tuner, both of whose ends are of one type
        return f"[lowest, highest], each {_type_of(field['prefixItems'][0], shared)}"
    if kind == "array":
        return f"list of {'sections' if '$ref' in field['items'] else _type_of(field['items'], shared)}"
    if kind == "object":
        values = field.get("additionalProperties", {})
        return f"a {'section' if '$ref' in values else _type_of(values, shared)} for each name"
    bounds = _bounds(field)
    return f"{WORDS[str(kind)]} ({bounds})" if bounds else WORDS[str(kind)]


def _bounds(field: dict[str, Any]) -> str:
    """What a number may be, in words; empty if any."""
    shown = {key: f"{field[key]:,}".removesuffix(".0") for key in BOUNDS if key in field}
    low = shown.get("minimum") or (f"above {shown['exclusiveMinimum']}" if "exclusiveMinimum" in shown else "")
    high = shown.get("maximum") or (f"below {shown['exclusiveMaximum']}" if "exclusiveMaximum" in shown else "")
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if "minimum" in shown else low


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _line(paragraph: str) -> str:
    return re.sub(r"\s+", " ", paragraph).strip()
