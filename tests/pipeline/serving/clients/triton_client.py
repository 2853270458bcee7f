"""Triton's HTTP client, which speaks the Open Inference Protocol v2 only; in an environment of its own.

    python triton_client.py HOST:PORT MODEL

Prints how it was refused as JSON: TensorFlow Serving does not speak that protocol, and so this server does not.
"""

import json
import sys

import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def main(address: str, model: str) -> None:
    """Asks for the server's and a model's state."""
    client = triton.InferenceServerClient(address)
    refused = ""
    try:
        client.get_model_metadata(model)
    except InferenceServerException as error:
        refused = str(error)
    print(json.dumps({"live": client.is_server_live(), "ready": client.is_model_ready(model), "refused": refused}))


main(*sys.argv[1:])
