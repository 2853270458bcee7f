"""Serving what was pushed: TensorFlow Serving where it is installed, else the command that starts it in Docker."""

import os
import shlex
import shutil

from components.common import files
from components.served_model.versions import pushed_versions
from pipeline.config.model import PipelineConfig
from pipeline.serving.predict import NothingServed

SERVER = "tensorflow_model_server"
IMAGE = "tensorflow/serving"
GRPC_PORT, REST_PORT = 8500, 8501


def serving_command(config: PipelineConfig, rest_port: int, installed: bool) -> list[str]:
    """The command that serves the newest version and follows every push and rollback.

    Raises:
      NothingServed: nothing was pushed yet.
    """
    if not pushed_versions(config.push_path):
        raise NothingServed(f"no model is served from {config.push_path}; run `effnet run` first")
    name = config.name
    if installed:
        ports = [f"--port={GRPC_PORT}", f"--rest_api_port={rest_port}"]
        return [SERVER, *ports, f"--model_name={name}", f"--model_base_path={config.push_path}"]
    docker = ["docker", "run", "--rm", "-p", f"{GRPC_PORT}:{GRPC_PORT}", "-p", f"{rest_port}:{REST_PORT}"]
    if files.is_remote(config.push_path):
        return [*docker, IMAGE, f"--model_name={name}", f"--model_base_path={config.push_path}"]
    return [*docker, "-v", f"{config.push_path}:/models/{name}:ro", "-e", f"MODEL_NAME={name}", IMAGE]


def example_request(config: PipelineConfig, rest_port: int) -> str:
    """A shell command that asks the server about an image."""
    url = f"http://localhost:{rest_port}/v1/models/{config.name}:predict"
    return f"""printf '{{"instances":[{{"b64":"%s"}}]}}' "$(base64 -w0 IMAGE)" | curl -d @- {url}"""


def serve(config: PipelineConfig, rest_port: int) -> None:
    """Becomes TensorFlow Serving if that is installed, else prints how to start it.

    Raises:
      NothingServed: nothing was pushed yet.
    """
    installed = shutil.which(SERVER) is not None
    command = serving_command(config, rest_port, installed)
    if installed:
        print(f"ask it: {example_request(config, rest_port)}", flush=True)
        os.execvp(command[0], command)
    print(f"{SERVER} is not installed; Docker serves the model with\n\n  {shlex.join(command)}\n")
    print(f"and answers to\n\n  {example_request(config, rest_port)}\n")
