"""`effnet serve install`: a systemd unit that starts the server with the machine, and again when it fails."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.systemd import effnet_command, exec_start, working_directory, write_units

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
      InstallError: an option would take more than a line, or others could read a secret in it.
    """
    command = effnet_command(["serve"], config_path, overrides, options)
    text = SERVICE.format(name=name, folder=working_directory(folder), command=exec_start(command))
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
