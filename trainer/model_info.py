"""What travels with an exported model as JSON: classes in label order, variant, image size, rates, seed."""

import json
from pathlib import Path
from typing import Any

# TensorFlow Serving leaves assets.extra alone; clients and the next run read it.
MODEL_INFO = "assets.extra/model.json"


def write_model_info(model_dir: str | Path, info: dict[str, Any]) -> None:
    """Adds `info` to the SavedModel in `model_dir`."""
    path = Path(model_dir) / MODEL_INFO
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(info, indent=2, ensure_ascii=False), encoding="utf-8")


def read_model_info(model_dir: str | Path) -> dict[str, Any]:
    """What `write_model_info` wrote.

    Raises:
      OSError: the model was not exported by this project.
    """
    return json.loads((Path(model_dir) / MODEL_INFO).read_text(encoding="utf-8"))
