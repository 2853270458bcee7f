"""Writes the quick-start images: scikit-learn's 1,797 handwritten digits as one folder of PNG files a class.

Nothing is downloaded. Takes about a second:

    python -m data.quickstart [DESTINATION]
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

FOLDER = Path("build", "digits")  # as pipeline.yaml names it
DEFAULT_DESTINATION = Path(__file__).resolve().parent.parent / FOLDER
IMAGES = 1797
SCALE = 4  # 8 x 8 scans become 32 x 32 px, enough for a person to read them
BRIGHTEST = 16  # the scans' gray levels are 0 (background) to 16


def is_quickstart(path: str) -> bool:
    """Whether a local path is where the quick-start images are, or would be; a folder of other images is not."""
    folder = Path(path)
    if "://" in path or folder.parts[-2:] != FOLDER.parts:
        return False
    return not folder.exists() or next(folder.glob("*/scan-*.png"), None) is not None


def build_quickstart(destination: Path = DEFAULT_DESTINATION) -> Path:
    """Writes `<destination>/<digit>/scan-<number>.png`, 8-bit gray, and returns `destination`.

    The bytes are the same each time. A tree that is already there is left as it is; a new one appears under its name
    only when it is whole.

    Raises:
        FileExistsError: if `destination` holds something else.
    """
    if destination.exists():
        return _check_whole(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        _write_scans(unfinished)
        unfinished.chmod(0o755)  # mkdtemp gives 0700, which would keep other users out
        os.sync()  # or a power cut could leave the tree under its name with files that are empty
        unfinished.rename(destination)
    except OSError:
        # Another process may have finished first: then its tree is the one to use.
        if not destination.exists():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return _check_whole(destination)


def _write_scans(folder: Path) -> None:
    # Imported here because they take two seconds, which a call that finds its images need not wait for.
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for digit in digits.target_names:
        (folder / str(digit)).mkdir()
    for number, (scan, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        pixels = np.rint(scan * (255 / BRIGHTEST)).astype(np.uint8).repeat(SCALE, axis=0).repeat(SCALE, axis=1)
        Image.fromarray(pixels).save(folder / str(digit) / f"scan-{number:04d}.png")


def _check_whole(destination: Path) -> Path:
    found = sum(1 for _ in destination.glob("*/scan-*.png"))
    if found != IMAGES:
        raise FileExistsError(
            f"{destination} holds {found} quick-start images, expected {IMAGES}: remove it or name another folder"
        )
    return destination


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m data.quickstart", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "destination",
        nargs="?",
        type=Path,
        default=DEFAULT_DESTINATION,
        help="folder to write, made if it is missing (default: build/digits in the project)",
    )
    try:
        print(build_quickstart(parser.parse_args().destination))
    except FileExistsError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
