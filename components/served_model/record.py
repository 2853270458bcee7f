"""What is noted with every pushed version: how good it is, when it came, from where."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from components.common import files
from components.common.errors import DamagedRecord, one_line

# TensorFlow Serving leaves assets.extra alone.
RECORD_FILE = "assets.extra/push.json"
LARGEST_VERSION = 2**63 - 1
MOST_DIGITS = 40  # of a version: leading zeros may stand before it


@dataclass(frozen=True)
class PushRecord:
    """A pushed version's lineage.

    Attributes:
        pushed_at: UTC in ISO 8601, to the second; "" if the version was not pushed by this project.
        accuracy: on the eval split, 0 to 1; None if it is not known.
        model_uri: the artifact that was pushed; "" if it is not known.
        rollback_of: the version that this one is a copy of; "" if it is none.
        withdrawn: fingerprints of the models that were rolled back from; they are neither baseline nor pushed again.
    """

    pushed_at: str = ""
    accuracy: float | None = None
    model_uri: str = ""
    rollback_of: str = ""
    withdrawn: tuple[str, ...] = ()


def is_version(name: str) -> bool:
    """Tells whether TensorFlow Serving takes a folder's name for a version: ASCII digits that fit an int64."""
    return name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS and int(name) <= LARGEST_VERSION


def write_record(saved_model: str, record: PushRecord) -> None:
    """Notes `record` in the SavedModel."""
    files.write_text(files.join(saved_model, RECORD_FILE), json.dumps(asdict(record), indent=2) + "\n")


def read_record(saved_model: str) -> PushRecord:
    """Returns what `write_record` wrote, or an empty record for a model that another program pushed.

    Raises:
        DamagedRecord: if there is a note that cannot be read, as one that a power cut left empty.
    """
    path = files.join(saved_model, RECORD_FILE)
    try:
        if not files.exists(path):
            return PushRecord()
        noted = json.loads(files.read_bytes(path))
        record = PushRecord(**{**noted, "withdrawn": tuple(noted["withdrawn"])})
        _check(record)
        return record
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedRecord(f"{RECORD_FILE} cannot be read ({one_line(error)})") from error


def _check(record: PushRecord) -> None:
    texts = (record.pushed_at, record.model_uri, record.rollback_of, *record.withdrawn)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("expected texts")
    if record.accuracy is not None and not isinstance(record.accuracy, float | int):
        raise TypeError(f"got accuracy {record.accuracy!r}, expected a number")
    if record.pushed_at and datetime.fromisoformat(record.pushed_at).tzinfo is None:
        raise ValueError(f"got {record.pushed_at}, expected a time in UTC")
    if record.rollback_of and not is_version(record.rollback_of):
        raise ValueError(f"got {record.rollback_of!r}, expected a version")
