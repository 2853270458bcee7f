"""Serving what was pushed: TensorFlow Serving where it is installed, else the command that starts it in Docker."""

import os
import shlex
import shutil
from pathlib import Path

from components.common import files
from pipeline.terminal import say

SERVER = "tensorflow_model_server"
IMAGE = "tensorflow/serving"
GRPC_PORT, REST_PORT = 8500, 8501  # of the image
EVERYWHERE = "0.0.0.0"


def serving_command(name: str, path: str, host: str, rest_port: int, grpc_port: int, installed: bool) -> list[str]:
    """The command that serves the newest version and follows every push and rollback.

    Args:
      name: of the model.
      path: folder of its pushed versions.
      host: address that Docker listens on; the program itself listens on every one.
      rest_port: 0: none.
      grpc_port: 0: none.
      installed: whether the program is there; else Docker runs it.
    """
    if not files.is_remote(path):
        path = str(Path(path).absolute())
    if installed:
        ports = [f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
        return [SERVER, *ports, f"--model_name={name}", f"--model_base_path={path}"]
    docker = ["docker", "run", "--rm", "-p", f"{host}:{grpc_port}:{GRPC_PORT}", "-p", f"{host}:{rest_port}:{REST_PORT}"]
    if files.is_remote(path):
        return [*docker, IMAGE, f"--model_name={name}", f"--model_base_path={path}"]
    return [*docker, "-v", f"{path}:/models/{name}:ro", "-e", f"MODEL_NAME={name}", IMAGE]


def example_request(name: str, rest_port: int) -> str:
    """A shell command that asks the server about an image."""
    url = f"http://localhost:{rest_port}/v1/models/{name}:predict"
    return f"""printf '{{"instances":[{{"b64":"%s"}}]}}' "$(base64 -w0 IMAGE)" | curl -d @- {url}"""


def serve(name: str, path: str, host: str, rest_port: int, grpc_port: int) -> None:
    """Becomes TensorFlow Serving if that is installed, else prints how to start it; arguments as `serving_command`."""
    installed = shutil.which(SERVER) is not None
    command = serving_command(name, path, host, rest_port, grpc_port, installed)
    if installed:
        if host != EVERYWHERE:
            say(f"warning: {SERVER} listens on every address of this machine, not on {host} alone")
        say(f"ask it: {example_request(name, rest_port)}")
        os.execvp(command[0], command)
    say(f"{SERVER} is not installed. With Docker:\n\n  {shlex.join(command)}\n")
    say(f"Then ask it:\n\n  {example_request(name, rest_port)}\n")
