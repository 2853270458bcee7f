"""What a user says of how the images are to be read."""

from dataclasses import dataclass

AUTO, CLASSES, SPLITS, LABELS, SHARDS = ("auto", "classes", "splits", "labels", "shards")


@dataclass(frozen=True)
class ReadingSettings:
    """How a folder, a label file or shards are to be understood; "" and "auto" leave it to what is there.

    Attributes:
        layout: auto; classes: the top folders are the classes; splits: the folders below them are; labels: label files
            beside the images have the classes; shards.
        image_column: the label file's column with the image's name; of Parquet shards, the one with its bytes.
        label_column: the column with the class.
        group_pattern: a regular expression that finds an image's group in its path; its first group counts, if it has
            one.
    """

    layout: str = AUTO
    image_column: str = ""
    label_column: str = ""
    group_pattern: str = ""

    @property
    def columns(self) -> dict[str, str]:
        """Part of an example -> the column or feature that a user has named, as readers of shards take them."""
        named = {"image": self.image_column, "label": self.label_column}
        return {part: name for part, name in named.items() if name}


LEFT_OPEN = ReadingSettings()
