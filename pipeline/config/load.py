"""From a pipeline.yaml, and what a command line sets, to a `PipelineConfig`.

Anything that cannot be accepted becomes a `ConfigError` that names the line, the key and, for a misspelt key, the
nearest valid one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from pydantic import ValidationError

from components.common.json_types import Parsed
from pipeline.config.key_and_value_errors import explain, key_lines
from pipeline.config.model import ConfigError, LocalRunner, PipelineConfig
from pipeline.config.plain_path import NoPlainPath, plain_path
from pipeline.config.secrets import remember_secrets
from pipeline.config.yaml_text import compose, construct, parse, read_config_text
from trainer.settings import NO_FILE

DEFAULT_PATH = Path(__file__).resolve().parents[2] / "pipeline.yaml"
OWN_FILE = "pipeline.yaml"  # in the current folder, as `effnet init` writes it
# Values that are paths: those from the file start at the file's folder, those from the command line at the shell's.
PATH_KEYS = ("data.path", "model.weights", "push.path", "runners.local.root")
PLAIN_PATH_KEYS = PATH_KEYS[1:]  # those of TensorFlow's and Beam's; of the images only this project's code reads


@dataclass(frozen=True)
class ConfigSource:
    """Where a command takes its configuration from.

    Args:
      config: the pipeline.yaml that the user names; None: the one in the current folder.
      overrides: of single values, as `load_config` takes them.
      quick_start: the shipped settings, as if their file were in the current folder.
    """

    config: Path | None = None
    overrides: tuple[str, ...] = ()
    quick_start: bool = False

    @property
    def path(self) -> Path:
        """The absolute path of the file; it need not exist if the user names it.

        Raises:
          ConfigError: no file is named and none is in the current folder, or the quick start would share that folder.
        """
        own = Path.cwd() / OWN_FILE
        if self.quick_start:
            if self.config is not None:
                raise ConfigError(f"--quick-start and --config {self.config} exclude each other; drop one of them")
            if own.exists():
                raise ConfigError(f"--quick-start: {own} exists; drop the option, or use an empty folder")
            return DEFAULT_PATH
        if self.config is not None:
            return self.config.expanduser().resolve()
        if own.is_file():
            return own.resolve()
        raise ConfigError(
            f"no {OWN_FILE} in {own.parent}; write one with `effnet init FOLDER`, name one with --config, "
            "or try the pipeline on handwritten digits with `effnet run --quick-start`"
        )

    @property
    def options(self) -> list[str]:
        """The same choice as options of a command, for another process."""
        return ["--config", str(self.path), *(part for override in self.overrides for part in ("--set", override))]

    def load_or_shipped(self) -> PipelineConfig:
        """Reads it, or the shipped settings if no file is named or found; for commands that need no images."""
        named = self.config is not None or (Path.cwd() / OWN_FILE).is_file()
        return self.load() if named else replace(self, quick_start=True).load()

    def load(self) -> PipelineConfig:
        """Reads it.

        Raises:
          ConfigError: as `path` and `load_config` say.
        """
        return load_config(self.path, self.overrides, Path.cwd() if self.quick_start else None)


def load_config(
    path: Path | str | None = None, overrides: Sequence[str] = (), folder: Path | None = None
) -> PipelineConfig:
    """Reads `path` and applies `overrides`, each of the form `section.key=value` with a YAML value.

    Args:
      path: the file; by default that of the current folder.
      overrides: take precedence over the file.
      folder: where relative paths in the file start; by default the file's own.

    Raises:
      ConfigError: the file is missing or not YAML, a key is unknown, or a value is not acceptable.
    """
    path = ConfigSource(None if path is None else Path(path)).path
    text = read_config_text(path)
    root = compose(text, path.name)
    document = construct(root, path.name)
    try:
        lines = key_lines(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path.name} line {line}: not valid YAML: {error.problem}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path.name}: expected sections such as `data:`, got {type(document).__name__}")

    _resolve_paths(document, folder or path.parent, path.name)
    _fill_root_in(document, folder or path.parent)
    for override in overrides:
        _apply_override(document, override)
    remember_secrets(document)
    try:
        return PipelineConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(explain(error, PipelineConfig, document, path.name, lines, overrides)) from error


def _absolute(path: str, base: Path, where: str) -> str:
    """`path` made absolute from `base`; a URI such as gs://bucket, or a word instead of a path, stays as it is.

    Raises:
      ConfigError: it is not a path, or its user is unknown on this machine; `where` is its place.
    """
    if "://" in path or path in NO_FILE:
        return path
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigError(f"{where}: got {path!r}, expected a path: {error}") from error


def _place(key: str, path: str, base: Path, where: str) -> str:
    """A value of `PATH_KEYS` in the form in which it can be read and written; `where` is its place, for an error."""
    path = _absolute(path, base, where)
    try:
        return plain_path(path) if key in PLAIN_PATH_KEYS else path
    except NoPlainPath as error:
        raise ConfigError(f"{key}: {error}") from error


def _resolve_paths(document: dict[str, Parsed], base: Path, file_name: str) -> None:
    """Makes the path values of `document`, the file of that name, absolute, in place."""
    for dotted in PATH_KEYS:
        *sections, key = dotted.split(".")
        section: Parsed = document
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(section.get(key), str):
            section[key] = _place(dotted, section[key], base, f"{file_name}: {dotted}")


def _fill_root_in(document: dict[str, Parsed], base: Path) -> None:
    """Makes a root that the file leaves out start at the file's folder too, not at the current one."""
    section: Parsed = document
    for name in ("runners", "local"):
        section = section.setdefault(name, {})
        if not isinstance(section, dict):
            return  # the model refuses it
    section.setdefault("root", str((base / LocalRunner().root).resolve()))


def _apply_override(document: dict[str, Parsed], override: str) -> None:
    """Sets one value of `document`, in place, from `section.key=value`."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: expected section.key=value, for example --set train.epochs=3")
    quoted = f"""a text that begins with * or @ needs quotes inside the shell's: --set '{dotted}="{text}"'"""
    value = parse(text, f"--set {override}", quoted)
    if dotted in PATH_KEYS and isinstance(value, str):
        value = _place(dotted, value, Path.cwd(), f"--set {dotted}")
    *sections, key = dotted.split(".")
    section: Parsed = document
    for name in sections:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: {name} is a value, not a section")
    section[key] = value
