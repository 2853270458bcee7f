"""A survey of a folder of images, without TensorFlow: classes, sizes, copies, and problems of files."""

import hashlib
import io
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from components.common.errors import DataError
from components.common.sampling import spread
from components.image_example_gen.class_notes import note_similar_names, note_without_eval
from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.damage import ImageError, check_size
from components.image_example_gen.images.near_duplicates import near_pairs
from components.image_example_gen.sources.groups import suggest_pattern
from components.image_example_gen.sources.image_bytes import bytes_of, read_image
from components.image_example_gen.sources.plan import ImageFile, IngestPlan
from components.image_example_gen.sources.settings import LEFT_OPEN, ReadingSettings
from components.image_example_gen.sources.source import find_source
from components.image_example_gen.sources.spans import SpanRule
from pipeline.init.shard_sample import sample_shards

MOST_READ = 2000  # files that are read; of more a sample, spread over the folder
MOST_COMPARED = 1000  # images that are compared with each other
SHOWN = 3  # images, or problems, shown as examples
SMALL_SIDE = 32  # pixels, of `flatness_of`
THREADS = 4  # for Pillow and the disk to work at once


@dataclass(frozen=True)
class ImageFacts:
    """A file that was read; `problem` is "" for a good image."""

    path: str
    sha256: str = ""
    perceptual_hash: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    flatness: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class FolderSurvey:
    """What is in a folder.

    Attributes:
      path: the folder.
      classes: class -> files, by name.
      given_splits: splits with folders of their own.
      looked_at: files that were read.
      problems: (path, message) of those that are unreadable as images.
      litter: files ignored by their name.
      shorter_sides: median of the shorter sides in pixels, and the 5 % and 95 % quantiles.
      aspect_spread: 95 % quantile over 5 % quantile of width / height; 1 where all have one shape.
      flatness: median over the images of `flatness_of`.
      formats: format -> images.
      copies: images that are identical to another one.
      notes: what a person should check, a line each.
      near_copies: pairs that look alike without being identical, among those compared.
      reading: how the folder was understood, in words.
      rows: some images as they were understood: path, class, split, group.
      sampled: which part of the shards was read, so that counts are estimates; "" if all, or if there are none.
      group_pattern: of groups in the file names, "" if they have none.
    """

    path: str
    classes: dict[str, int]
    given_splits: list[str]
    looked_at: int
    problems: list[tuple[str, str]]
    litter: int
    shorter_sides: tuple[float, float, float]
    aspect_spread: float
    flatness: float = 0.0
    formats: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    near_copies: int = 0
    reading: str = ""
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    sampled: str = ""
    group_pattern: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Files of all classes."""
        return sum(self.classes.values())


def survey(
    path: str,
    max_pixels: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    settings: ReadingSettings = LEFT_OPEN,
) -> FolderSurvey:
    """Surveys a folder, or anything else that `data.path` may be.

    Args:
      path: as `data.path`.
      max_pixels: larger images are a problem.
      progress: called with (done, total) as files are read.
      settings: how to read the folder.

    Raises:
      DataError: there are fewer than two classes of images, or no image could be read.
    """
    source = find_source(path, SpanRule(), settings)
    factor, sampled = 1.0, ""
    with tempfile.TemporaryDirectory(prefix="effnet-init-") as unpacked:
        if source.shards:
            sample = sample_shards(source, unpacked, progress)
            plan, factor = sample.plan, sample.factor
            if factor > 1:
                sampled = f"{len(plan.images):,} images of {sample.read:,} of {sample.of:,} shards"
        else:
            plan = source.plan()
        chosen = spread(plan.images, MOST_READ)
        looks = []
        with ThreadPoolExecutor(THREADS) as pool:
            for look in pool.map(lambda image: _look(source.root, image, max_pixels), chosen):
                looks.append(look)
                progress(len(looks), len(chosen))
    good = [look for look in looks if not look.problem]
    if not good:
        first = "; ".join(f"{look.path}: {look.problem}" for look in looks[:SHOWN])
        raise DataError(
            f"got {len(looks):,} files, none of them readable as an image ({first}), expected photos: check the files"
        )
    by_content = Counter(look.sha256 for look in good)
    once = list({look.sha256: look for look in good}.values())
    sides = [min(look.width, look.height) for look in good]
    low, high = _ends([look.width / look.height for look in good])
    count = Counter(plan.classes[image.label] for image in plan.images)
    return FolderSurvey(
        path=path,
        classes={name: round(count[name] * factor) for name in plan.classes},
        given_splits=sorted(plan.given_splits),
        looked_at=len(looks),
        problems=[(look.path, look.problem) for look in looks if look.problem],
        litter=len(plan.rejected),
        shorter_sides=(statistics.median(sides), *_ends(sides)),
        aspect_spread=high / low,
        flatness=statistics.median(look.flatness for look in good),
        formats=dict(Counter(look.format for look in good).most_common()),
        copies=sum(count - 1 for count in by_content.values()),
        near_copies=sum(1 for _ in near_pairs([look.perceptual_hash for look in spread(once, MOST_COMPARED)])),
        reading=plan.reading,
        rows=[_row(plan, image) for image in spread(plan.images, SHOWN)],
        sampled=sampled,
        notes=_notes(plan),
        group_pattern="" if settings.group_pattern else suggest_pattern(plan.images),
    )


def _notes(plan: IngestPlan) -> list[str]:
    notes = note_similar_names(plan.classes)
    if "eval" in plan.given_splits:
        in_eval = Counter(plan.classes[image.label] for image in plan.images if image.split == "eval")
        notes += note_without_eval({name: in_eval[name] for name in plan.classes})
    if several := [line for line in plan.rejected if line.reason == "multi_label"]:
        notes.append(
            f"{len(several):,} images with several labels (multi_label) are left out, such as {several[0].path}"
        )
    notes += [line.message for line in plan.rejected if line.reason == "bad_label_file"][:SHOWN]
    if unlabelled := sum(line.reason == "unlabelled" for line in plan.rejected):
        notes.append(f"{unlabelled:,} images have no label, and are left out")
    return notes


def _look(root: str, image: ImageFile, max_pixels: int) -> ImageFacts:
    try:
        check_size(bytes_of(image), max_pixels)
        data = read_image(root, image)
        found = normalise_image(data, max_pixels)
    except (ImageError, OSError) as error:
        return ImageFacts(image.path, problem=str(error))
    digest = hashlib.sha256(data).hexdigest()
    flatness = flatness_of(found.data)
    return ImageFacts(image.path, digest, found.perceptual_hash, found.width, found.height, found.format, flatness)


def flatness_of(data: bytes) -> float:
    """The share of neighbouring pixels that have one colour, at 32 pixels a side, 0 to 1.

    Half of the photographs have less than .01 (240 flowers, 80 photos from ImageNet) and 95 % less than .08, also when
    they were made small; scanned digits, on a background, .2 to .9.
    """
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (2 * SMALL_SIDE, 2 * SMALL_SIDE))  # a JPEG is decoded at an eighth of its size
        pixels = np.asarray(image.convert("RGB").resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX))
    same = [(pixels[:, 1:] == pixels[:, :-1]).all(axis=2), (pixels[1:] == pixels[:-1]).all(axis=2)]
    return float(np.mean([pairs.mean() for pairs in same]))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[int(0.05 * (len(ordered) - 1))], ordered[int(0.95 * (len(ordered) - 1))]


def _row(plan: IngestPlan, image: ImageFile) -> tuple[str, str, str, str]:
    return image.path, plan.classes[image.label], image.split, image.group
