"""The `data` section of pipeline.yaml."""

import datetime
import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.image_example_gen.sources.settings import ReadingSettings
from trainer.settings import Fraction, Settings

Layout = Literal["auto", "classes", "splits", "labels", "shards"]
"""How a folder of images is read."""


class SplitFractions(Settings):
    """Fractions of the images that are kept out of training; cut by content, so stable when images are added."""

    val: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of the images for validation: early stopping and choosing the best epoch."""
    eval: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of the images for the gate.

    The smaller it is, the more chance decides: with 100 images the accuracy is known to within about 6 points.
    """


class Span(Settings):
    """Which folders stand for {SPAN} in data.path."""

    last: str = "latest"
    """Newest span to read: latest, yesterday, today (UTC), a date or a number."""
    window: Annotated[int, Field(ge=1)] = 1
    """Number of spans to read, up to and including the newest."""
    allow_missing: bool = False
    """Run even if a span in the window is missing."""

    @field_validator("last", mode="before")
    @classmethod
    def _as_written(cls, last: object) -> object:
        return str(last) if isinstance(last, int | datetime.date) else last


class Drift(Settings):
    """Largest divergence (Jensen-Shannon, 0 to 1) from the images of the served model, by feature."""

    label: Fraction = 0.1
    """Largest divergence in the shares of the classes."""
    brightness: Fraction = 0.1
    """Largest divergence in brightness."""
    size: Fraction = 0.1
    """Largest divergence in the number of pixels."""
    aspect: Fraction = 0.1
    """Largest divergence in the ratio of width to height."""
    format: Fraction = 0.2
    """Largest divergence in the file formats."""


class RecordFeatures(Settings):
    """Names of the features of tf.Examples; None: the usual ones."""

    image: str | None = None
    """Feature with the encoded image; null tries the usual names, such as image/encoded."""
    label: str | None = None
    """Feature with the class; null tries the usual names, such as image/class/text. Numeric labels that are not
    class names are indices into `data.classes`.
    """
    split: str | None = None
    """Feature with the split; null tries the usual names."""
    group: str | None = None
    """Feature with the group; null tries the usual names."""


class DataSettings(Settings):
    """Where the images are and what is asked of them."""

    path: str
    """A folder of class folders, or with label files among the images; a label file; shards (TFRecords, webdataset's
    tar files, Parquet); or a zip archive. train/, val/ and test/ above the class folders are kept as splits.
    photos/{SPAN} reads one folder for each day (2024-05-31 or 20240531) or number.

    Relative paths start at pipeline.yaml.
    """
    layout: Layout = "auto"
    """How the folder is read where this is ambiguous: auto, classes (the top folders), splits (the folders below
    them), labels (label files) or shards.
    """
    image_column: str | None = None
    """Column of label files and Parquet with the image; null tries the usual names, such as file_name."""
    label_column: str | None = None
    """Column with the class; null tries the usual names, such as label, and one-hot columns."""
    group_pattern: str | None = None
    """Regular expression that finds an image's group in its path, such as '(patient\\d+)_'; a group stays in one
    split.

    Set it when several photos show the same patient, plant, product or video: otherwise the model is tested on subjects
    that it was trained on, and looks better than it is.
    """
    classes: tuple[str, ...] = ()
    """Class names in label order; empty takes the class folders, sorted."""
    split: SplitFractions = SplitFractions()
    """Shares of the images that are kept out of training; they are cut by image content, so they stay the same when
    images are added.
    """
    max_bad_fraction: Fraction = 0.05
    """Largest share of unreadable images; more stop the run."""
    min_images_per_class: Annotated[int, Field(ge=1)] = 10
    """Fewest training images of a class; fewer stop the run."""
    max_class_imbalance: Annotated[float, Field(ge=1)] = 100.0
    """How many times more training images the largest class may have than the smallest."""
    max_pixels: Annotated[int, Field(ge=1024)] = 50_000_000
    """Largest image in pixels; larger ones are quarantined."""
    near_duplicates: bool = True
    """Keep near copies (resized or re-encoded) in one split; set false where all images look alike."""
    features: RecordFeatures = RecordFeatures()
    """Names of the features of TFRecord examples; null tries the usual ones."""
    span: Span = Span()
    """Which folders stand for {SPAN}: `last` is latest, yesterday, today (UTC), a date or a number; `window` counts the
    spans up to it.
    """
    drift: Drift | None = Drift()
    """How far the images may differ from those of the served model, from 0 (the same shares) to 1 (nothing in
    common); null does not compare.

    The numbers are Jensen-Shannon divergences. A run that exceeds one of them is refused for its data (exit status 4).
    """

    @field_validator("group_pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern or "").groups
        except re.error as error:
            raise ValueError(f"is no regular expression ({error}), expected one such as '(patient\\d+)_'") from error
        if groups > 1:
            raise ValueError(f"has {groups} groups in brackets, expected one or none: write (?:...) for the others")
        return pattern

    @property
    def reading(self) -> ReadingSettings:
        """How the images are to be read, as the ingest takes it."""
        return ReadingSettings(self.layout, self.image_column or "", self.label_column or "", self.group_pattern or "")
