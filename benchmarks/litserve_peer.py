"""The peer of benchmarks/serving.py: a pushed model's ONNX file behind LitServe, with the same pixels.

python litserve_peer.py MODEL_FOLDER PORT
"""

import base64
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import litserve
import numpy as np
import onnxruntime

from components.serving_engine.pixels import PixelSpec, network_pixels

FOLDER = Path(sys.argv[1])


class Classifier(litserve.LitAPI):
    """One image a request; LitServe batches them."""

    def setup(self, device):
        """Loads the network in LitServe's worker."""
        info = json.loads((FOLDER / "assets.extra" / "model.json").read_text(encoding="utf-8"))
        self.spec, self.classes = PixelSpec.from_info(info), info["classes"]
        path = str(FOLDER / "assets.extra" / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        """From a body to pixels."""
        return network_pixels(base64.b64decode(request["b64"]), self.spec, 50_000_000)

    def batch(self, inputs):
        """Several requests at once."""
        return np.stack(inputs)

    def predict(self, pixels):
        """Asks the network."""
        return self.session.run(["probabilities"], {"pixels": pixels})[0]

    def unbatch(self, output):
        """One answer a request."""
        return list(output)

    def encode_response(self, probabilities):
        """To JSON."""
        best = int(probabilities.argmax())
        return {"class_id": best, "class_name": self.classes[best], "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    api = Classifier(max_batch_size=32, batch_timeout=0.001)
    litserve.LitServer(api, accelerator="cpu").run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)
