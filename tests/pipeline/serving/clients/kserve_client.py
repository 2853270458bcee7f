"""KServe's REST client, protocol v1; run in an environment of its own, since kserve does not resolve with TFX 1.16.

    python kserve_client.py URL MODEL IMAGE

Prints what it was answered as JSON.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path

from kserve import InferenceRESTClient, RESTConfig


async def main(url: str, model: str, image: str) -> None:
    """Asks one image, and whether server and model are ready."""
    client = InferenceRESTClient(RESTConfig(protocol="v1", timeout=30))
    body = {"instances": [{"b64": base64.b64encode(Path(image).read_bytes()).decode()}]}
    answer = await client.infer(url, body, model_name=model)
    broken = ""
    try:
        await client.infer(url, {"instances": [{"b64": "AAAA"}]}, model_name=model)
    except Exception as error:
        broken = f"{type(error).__name__} {error}"
    print(json.dumps({"predictions": answer["predictions"], "broken": broken}))


asyncio.run(main(*sys.argv[1:]))
