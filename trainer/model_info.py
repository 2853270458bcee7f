"""What travels with an exported model as JSON: classes in label order, variant, image size, rates, seed."""

import json
from pathlib import Path
from typing import Any

# TensorFlow Serving leaves assets.extra alone; clients and the next run read it.
MODEL_INFO = "assets.extra/model.json"


def write_model_info(model_dir: str, info: dict[str, Any]) -> None:
    """Adds `info` to the SavedModel in `model_dir`, a local or remote folder."""
    import tensorflow as tf  # not needed to read, which the command line does often

    path = f"{model_dir}/{MODEL_INFO}"
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(info, indent=2, ensure_ascii=False))


def read_model_info(model_dir: str | Path) -> dict[str, Any]:
    """What `write_model_info` wrote; the folder is local.

    Raises:
      OSError: the model was not exported by this project.
    """
    return json.loads((Path(model_dir) / MODEL_INFO).read_text(encoding="utf-8"))
