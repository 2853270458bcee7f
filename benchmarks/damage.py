"""How much damage within JPEG files does the ingest find, and does it set aside files that have none?

Of the photos, taken in turn, 500 are cut at a random place and 500 get 512 random bytes somewhere behind the start of
their pixels. Those count whose pixels Pillow, told to go on over damage, decodes to something else than before. The
peer is Pillow as it is, which refuses a part of them.

    python -m benchmarks.damage [FOLDER] [--damaged 500] [--untouched 1000] [--seed 0]

FOLDER holds JPEG files, at any depth. Without it, pieces are cut from the two photographs that scikit-learn ships.
"""

import argparse
import io
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from benchmarks.input_pipeline import generate_photos
from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.damage import ImageError

OVERWRITTEN = 512  # bytes
LIMIT = 100_000_000  # pixels


def cut(data: bytes, chance: random.Random) -> bytes:
    """Breaks a file off at a random place."""
    return data[: chance.randrange(len(data))]


def overwrite(data: bytes, chance: random.Random) -> bytes:
    """Puts random bytes somewhere between the header of the first scan and the end mark."""
    scan = data.index(b"\xff\xda")
    scan += 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    place = chance.randrange(scan, len(data) - 2)
    size = min(OVERWRITTEN, len(data) - 2 - place)
    return data[:place] + chance.randbytes(size) + data[place + size :]


def pixels(data: bytes) -> np.ndarray | None:
    """What Pillow makes of a file at any price; None if nothing."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    except Exception:  # Pillow's readers fail in many ways
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def ours(data: bytes) -> bool:
    """Whether the ingest sets a file aside."""
    try:
        normalise_image(data, LIMIT)
    except ImageError:
        return True
    return False


def peer(data: bytes) -> bool:
    """Whether Pillow refuses a file."""
    try:
        Image.open(io.BytesIO(data)).load()
    except Exception:  # as above
        return True
    return False


def count(files: list[Path], damage: Callable[[bytes, random.Random], bytes], chance: random.Random) -> list[int]:
    """Returns how many files had other pixels once damaged, and how many of these we and the peer found."""
    found = [0, 0, 0]
    for file in files:
        whole = file.read_bytes()
        damaged = damage(whole, chance)
        if (after := pixels(damaged)) is not None and np.array_equal(after, pixels(whole)):
            continue
        found = [total + more for total, more in zip(found, (1, ours(damaged), peer(damaged)), strict=True)]
    return found


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.damage", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="JPEG files, at any depth (default: generated)")
    parser.add_argument("--damaged", type=int, default=500, help="files of each kind of damage")
    parser.add_argument("--untouched", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        if options.folder is None:
            generate_photos(Path(temporary))
        folder = options.folder or Path(temporary)
        names = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
        chance.shuffle(names)
        files = [names[index % len(names)] for index in range(max(options.damaged, options.untouched))]
        untouched = files[: min(options.untouched, len(names))]
        set_aside = sum(ours(file.read_bytes()) for file in untouched)
        kinds = {damage.__name__: count(files[: options.damaged], damage, chance) for damage in (cut, overwrite)}
    print(f"{set_aside} of {len(untouched)} untouched files set aside")
    for name, (changed, by_us, by_peer) in kinds.items():
        print(f"{name}: {changed} of {options.damaged} changed; found {by_us} ({by_us / changed:.1%}), peer {by_peer}")
    total, by_us, by_peer = (sum(column) for column in zip(*kinds.values(), strict=True))
    print(f"found in all: {by_us / total:.1%}, peer {by_peer / total:.1%}")
    print(f"ratio={by_us / by_peer:.2f} ours/peer (damage found; Pillow)")


if __name__ == "__main__":
    main()
