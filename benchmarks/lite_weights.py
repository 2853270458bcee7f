"""Does EfficientNet-Lite with its published ImageNet weights answer as on PyTorch, where they come from?

The weights are converted to safetensors in PyTorch's environment, read from there by this network, and all are asked
about the same pixels: the package's own network with the published file, timm's with the converted one, and ours.

    python -m benchmarks.lite_weights PHOTOS [--variants lite0 lite1 lite2] [--keep FOLDER]

PHOTOS is a folder of photos; `--keep` leaves the converted weights there, as FOLDER/tf_efficientnet_lite0.safetensors.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.torch_environment import torch_python

ROOT = Path(__file__).resolve().parent.parent
LOGIT_LIMIT = 1e-3
BATCH = 32


def ask_peer(*arguments: str) -> str:
    """Runs `benchmarks.lite_peer`; returns what it prints."""
    command = [torch_python(), "-m", "benchmarks.lite_peer", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def converted(variant: str, folder: Path) -> Path:
    """The published weights of a variant, "lite0" to "lite2", as safetensors in a folder, unless they are there."""
    path = folder / f"tf_efficientnet_{variant}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ask_peer("convert", variant, str(path))
    return path


def decode(photos: list[Path], size: int) -> np.ndarray:
    """What the network sees of photos, uint8 (photos, size, size, 3): the reference's central crop."""
    from trainer.decoding import decode_photo
    from trainer.preprocessing import resize_image

    return np.stack([resize_image(decode_photo(photo.read_bytes()), size, "crop").numpy() for photo in photos])


def ask_ours(variant: str, weights: Path, pixels: np.ndarray, classes: int = 1000) -> np.ndarray:
    """The logits of this network."""
    from trainer.efficientnet import build_efficientnet
    from trainer.weights import load_weights

    model = build_efficientnet(variant, classes)
    load_weights(model, weights, variant)
    batches = np.array_split(pixels, -(-len(pixels) // BATCH))
    return np.concatenate([np.asarray(model(batch, training=False)) for batch in batches])


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lite_weights", description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--variants", nargs="+", default=["lite0", "lite1", "lite2"])
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()

    from trainer.scaling import get_variant

    photos = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg", ".png"))
    with tempfile.TemporaryDirectory() as temporary:
        for variant in options.variants:
            weights = converted(variant, options.keep or Path(temporary))
            pixels = decode(photos, get_variant(variant).resolution)
            np.save(f"{temporary}/pixels.npy", pixels)
            ask_peer("answer", variant, str(weights), f"{temporary}/pixels.npy", f"{temporary}/answers.npz")
            ours = ask_ours(variant, weights, pixels)
            for peer, logits in np.load(f"{temporary}/answers.npz").items():
                same = int((ours.argmax(1) == logits.argmax(1)).sum())
                print(
                    f"{variant} against {peer}: the same top-1 for {same} of {len(photos)} photos, logits within "
                    f"{np.abs(ours - logits).max():.1e} (limit {LOGIT_LIMIT:g})"
                )
                print(f"ratio={same / len(photos):.3f} ours/{peer}")


if __name__ == "__main__":
    main()
