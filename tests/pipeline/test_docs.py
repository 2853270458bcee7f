"""What README.md and docs/ name is there: links, commands, their options, settings, make targets, modules."""

import os
import re
import subprocess
import sys

import pytest
import typer

from pipeline.cli import app
from pipeline.config.load import DEFAULT_PATH, load_config

PROJECT = DEFAULT_PATH.parent
PAGES = [
    *sorted(PROJECT.glob("*.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
    *(PROJECT / room / "README.md" for room in ("benchmarks", "tests")),
]
COMMANDS = typer.main.get_command(app)
EVERYWHERE = {"--help", "--version", "--install-completion", "--debug"}


def code(text: str) -> list[str]:
    """Lines of blocks and spans of code, without comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [re.sub(r"\s#.*", "", line).strip() for block in blocks for line in block.splitlines()] + spans


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
class TestPage:
    def test_its_links_lead_somewhere(self, page):
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
            path, _, part = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), target
            if part:
                assert part in map(anchor, re.findall(r"^#+ (.+)$", linked.read_text(), re.M)), target

    def test_its_commands_and_their_options_are_there(self, page):
        for line in code(page.read_text()):
            for words in re.findall(r"(?:^|bin/|&& |; )effnet ([^;&|]+)", line):
                command, options = COMMANDS, set(EVERYWHERE)
                for word in words.rstrip(",").split():
                    if (below := getattr(command, "commands", None)) and re.fullmatch(r"[a-z]+", word):
                        assert word in below, line
                        command = below[word]
                    options |= {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
                    if word.startswith("-"):
                        assert word.partition("=")[0] in options, line

    def test_its_settings_are_taken(self, page):
        for line in code(page.read_text()):
            overrides = re.findall(r"--set ([a-z_]+[.=]\S+)", line)
            if overrides and overrides != ["section.key=value"]:
                load_config(DEFAULT_PATH, overrides)

    def test_its_keys_make_targets_and_modules_are_there(self, page):
        settings = load_config(DEFAULT_PATH)
        targets = re.search(r"^\.PHONY: (.+)$", (PROJECT / "Makefile").read_text(), re.M)[1].split()
        for line in code(page.read_text()):
            for target in re.findall(r"(?:^|&& )make (?:-\w )?([a-z][\w-]*)", line):
                assert target in targets, line
            for module in re.findall(r"python -m ([\w.]+)", line):
                assert (PROJECT / f"{module.replace('.', '/')}.py").is_file(), line
            for path in re.findall(r"^(?:pipeline|components|trainer|data|tests|benchmarks|docs)/[\w/.-]+", line):
                assert (PROJECT / path).exists(), line
            section, _, rest = line.partition(".")
            if section in type(settings).model_fields and re.fullmatch(
                r"(?!onnx|csv)[a-z_.]+", rest
            ):  # model.onnx and train.csv are files
                value = getattr(settings, section)
                for key in rest.split("."):
                    if not hasattr(type(value), "model_fields"):
                        break  # below a mapping of the user's own keys
                    assert key in type(value).model_fields, line
                    value = getattr(value, key)


def test_the_site_builds_without_a_warning(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "index.html").is_file() and (tmp_path / "settings.html").is_file()
