"""`effnet serve install`: a systemd unit that starts the server with the machine, and again when it fails."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.schedule.systemd_cron import InstallError, systemd_word, write_units

SERVICE = """\
[Unit]
Description=Serves the models of {name}
Wants=network-online.target
After=network-online.target

[Service]
WorkingDirectory={folder}
# EFFNET_SERVE_TOKEN=..., readable by its owner alone.
EnvironmentFile=-%h/.config/effnet/{name}.env
ExecStart={command}
Restart=on-failure
RestartSec=5
# Longer than the server waits for requests to end.
TimeoutStopSec=45
NoNewPrivileges=true

[Install]
WantedBy=default.target
"""


def serve_unit(
    name: str, config_path: Path, overrides: Sequence[str], options: Sequence[str], folder: Path
) -> dict[str, str]:
    """File name -> content of the unit.

    Args:
      name: of the pipeline.
      config_path: its pipeline.yaml.
      overrides: as `--set` has them.
      options: of `effnet serve`.
      folder: where relative paths in them start.

    Raises:
      InstallError: an option would take more than a line.
    """
    effnet = [str(Path(sys.executable).with_name("effnet")), "serve", "--config", str(config_path)]
    command = [*effnet, *(part for override in overrides for part in ("--set", override)), *options]
    if unfit := next((part for part in command if not part.isprintable()), None):
        raise InstallError(f"got {unfit!r}, expected no line breaks or other control characters; write it on one line")
    program, *arguments = map(systemd_word, command)
    # Of the program alone systemd fills in no variable.
    text = SERVICE.format(
        name=name,
        folder=str(folder).replace("%", "%%"),
        command=" ".join([program.replace("$$", "$"), *arguments]),
    )
    return {f"effnet-serve-{name}.service": text}


def install(units: dict[str, str], name: str, config_path: Path) -> None:
    """Writes the unit where systemd looks for this user's, and says what to type next.

    Raises:
      InstallError: there is one of another pipeline of the same name.
    """
    for written in write_units(units, f"serve-{name}", config_path):
        print(f"wrote {written}")
    print(f"now type: systemctl --user daemon-reload && systemctl --user enable --now effnet-serve-{name}")
    print("and, to serve while you are logged out: loginctl enable-linger")
