"""Units of systemd for this user: what their lines may hold, and where they are.

A crontab's lines follow the same rules, see `pipeline/schedule/systemd_cron.py`.
"""

import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from components.common import files
from pipeline.config.secrets import hide_secrets

UNITS = Path("~/.config/systemd/user")


class InstallError(RuntimeError):
    """The entry cannot be made."""


def effnet_command(
    words: Sequence[str], config_path: Path, overrides: Sequence[str], options: Sequence[str] = ()
) -> list[str]:
    """Returns a command of ours, with arguments, for a unit or a crontab.

    Args:
      words: which, such as schedule and tick.
      config_path: its pipeline.yaml.
      overrides: as `--set` has them.
      options: its others.

    Raises:
      InstallError: it would take more than one line, or anyone could read a secret in it.
    """
    effnet = [str(Path(sys.executable).with_name("effnet")), *words, "--config", str(config_path)]
    command = [*effnet, *(part for override in overrides for part in ("--set", override)), *options]
    for part in command:
        need_one_line(part)
    for part in [part for word in command for part in _values(word)]:
        if hide_secrets(part) != part:
            raise InstallError(
                f"got a secret in {hide_secrets(part)}, which others could read in the entry; "
                "put it into the environment, such as AWS_SECRET_ACCESS_KEY"
            )
    return command


def _values(word: str) -> Iterator[str]:
    """Yields what a word may tell: of --option=value the value, for --token-file and --tls-key name files."""
    option, separator, value = word.partition("=")
    yield value if separator and option.startswith("--") else word


def exec_start(command: Sequence[str]) -> str:
    """Returns the value of ExecStart=."""
    program, *arguments = map(systemd_word, command)
    return " ".join([program.replace("$$", "$"), *arguments])  # in the program alone systemd fills in no variable


def working_directory(folder: Path) -> str:
    """Returns the value of WorkingDirectory=.

    The slash at the end, which systemd drops, keeps a blank or a backslash before it in the name: systemd strips lines,
    and joins one that ends with a backslash to the next. It knows no quotes here.

    Raises:
      InstallError: the name takes more than one line.
    """
    need_one_line(str(folder))
    return f"{str(folder).rstrip('/')}/".replace("%", "%%")


def systemd_word(text: str) -> str:
    """Returns one argument of ExecStart=, see "Command lines" in systemd.service(5), which is not a shell's.

    systemd fills in variables and specifiers also between quotes, where a secret would end up on a command line.
    """
    escaped = text.replace("\\", "\\\\").replace('"', r"\"").replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def need_one_line(text: str) -> None:
    """Does nothing if a line of a crontab or a unit can hold the text.

    Raises:
      InstallError: it would begin another line, or is not UTF-8.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InstallError(
            f"got {text!r}, expected no line breaks or other control characters, and UTF-8; rename it, or write it on "
            "one line"
        )


def write_units(units: dict[str, str], name: str, config_path: Path) -> list[Path]:
    """Writes units where systemd looks for this user's.

    Raises:
      InstallError: those that are there are another pipeline's of the same name.
    """
    folder = UNITS.expanduser()
    service = folder / f"effnet-{name}.service"
    # With the quotes: another path may hold this one.
    same = f'"--config" {systemd_word(str(config_path))}'
    if service.exists() and same not in service.read_text(encoding="utf-8"):
        raise taken(str(service), name)
    for file, text in units.items():
        files.write_text(str(folder / file), text)
    return [folder / file for file in units]


def taken(where: str, name: str) -> InstallError:
    """Returns the error that another pipeline of the same name has an entry."""
    return InstallError(f"{where} has a {name} of another pipeline.yaml; give one of the two another `name`")
