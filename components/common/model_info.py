"""What the trainer noted of a model it exported."""

import json
from typing import Any

from components.common import files

MODEL_INFO = "assets.extra/model.json"


def read_model_info(saved_model: str) -> dict[str, Any]:
    """Returns the note, `classes` in label order among it; an empty one if another program exported the model."""
    path = files.join(saved_model, MODEL_INFO)
    return json.loads(files.read_bytes(path)) if files.exists(path) else {}
