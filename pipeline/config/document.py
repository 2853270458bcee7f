"""Brings what people read of the settings in line with the model: `python -m pipeline.config.document`.

It writes docs/settings.md, and the comments in pipeline.yaml, whose values stay as they are. For developers, after a
change of a setting; a test fails until it has run.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import yaml

from components.common import files
from pipeline.config.load import DEFAULT_PATH
from pipeline.config.reference import all_settings
from pipeline.config.yaml_text import compose, read_config_text

PAGE = DEFAULT_PATH.parent / "docs" / "settings.md"
WIDTH = 120  # of pipeline.yaml
COLUMN = 34  # in which its comments start
TITLE = """\
# Every choice of a run. To override one for a single run: effnet run --set train.epochs=3 --set model.variant=b2
# Relative paths start at this file. `effnet config explain train.epochs` says more about a setting; docs/settings.md
# lists them all.

"""
PAGE_TITLE = """\
# Settings

Every setting of `pipeline.yaml`. `effnet config explain train.epochs` shows one of them in the terminal,
`effnet config --schema` prints a JSON schema for editors, and `--set train.epochs=3` overrides a setting for one run.
The default applies if pipeline.yaml does not name the setting; the shipped file, made for the quick start, changes some
of them. `null` means: not set.

This page is generated from the code: `python -m pipeline.config.document`.
"""


def commented(text: str) -> str:
    """A pipeline.yaml with the settings' descriptions as its comments, in place of those that it has."""
    root = compose(text, DEFAULT_PATH.name)
    assert isinstance(root, yaml.MappingNode)
    return TITLE + "\n".join(_yaml_lines(root, text, "")) + "\n"


def page() -> str:
    """The content of docs/settings.md."""
    lines = [PAGE_TITLE, "## Top level", "", *_table("")]
    for section in all_settings():
        if section.is_section:
            level = min(section.key.count(".") + 2, 4)
            lines += ["", f"{'#' * level} {section.key}", "", section.summary]
            lines += ["", section.advice] if section.advice else []
            lines += ["", *_table(section.key)]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _yaml_lines(node: yaml.MappingNode, text: str, prefix: str) -> Iterator[str]:
    for key, value in node.value:
        dotted = f"{prefix}{key.value}"
        if not prefix and isinstance(value, yaml.MappingNode):
            yield ""  # above each section
        indent = "  " * dotted.count(".")
        in_block = isinstance(value, yaml.MappingNode) and not value.flow_style
        shown = "" if in_block else f" {text[value.start_mark.index : value.end_mark.index]}"
        yield from _with_comment(f"{indent}{key.value}:{shown}", _comment(dotted))
        if in_block:
            yield from _yaml_lines(value, text, f"{dotted}.")


def _with_comment(line: str, comment: str) -> Iterator[str]:
    """A line with a comment to its right, over as many lines as it needs; above it, if the line is too long."""
    if not comment:
        yield line
        return
    if len(line) >= COLUMN:
        indent = line[: len(line) - len(line.lstrip())]
        yield from (f"{indent}# {part}" for part in textwrap.wrap(comment, WIDTH - len(indent) - 2))
        yield line
        return
    first, *others = textwrap.wrap(comment, WIDTH - COLUMN - 2, break_on_hyphens=False)
    yield f"{line.ljust(COLUMN)}# {first}"
    yield from (f"{'':{COLUMN}}# {part}" for part in others)


def _comment(key: str) -> str:
    """A setting's description as a comment, without the last full stop; "" for a name of the user's."""
    return next((setting.summary.removesuffix(".") for setting in all_settings() if setting.key == key), "")


def _table(section: str) -> list[str]:
    """The settings whose nearest section is this one; among them those of lists of sections, which have no heading."""
    sections = [one.key for one in all_settings() if one.is_section]
    rows = []
    for setting in all_settings():
        homes = [key for key in sections if setting.key.startswith(f"{key}.")]
        if not setting.is_section and max(homes, key=len, default="") == section:
            name = setting.key.removeprefix(f"{section}.") if section else setting.key
            default = "required" if setting.required else f"`{setting.shown_default}`"
            what = " ".join(filter(None, (setting.summary, setting.advice)))
            rows.append(f"| `{name}` | {_cell(setting.type)} | {default} | {_cell(what)} |")
    return ["| setting | type | default | what it does |", "|---|---|---|---|", *rows] if rows else []


def _cell(text: str) -> str:
    """Text for a cell of a Markdown table, in which no HTML begins."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Writes both files."""
    files.write_text(str(DEFAULT_PATH), commented(read_config_text(Path(DEFAULT_PATH))))
    files.write_text(str(PAGE), page())


if __name__ == "__main__":
    main()
