"""What is noted with every pushed version: how good it is, when it came, from where."""

import json
from dataclasses import asdict, dataclass

from components.common import files
from components.common.errors import DamagedRecord, one_line

# TensorFlow Serving leaves assets.extra alone.
RECORD_FILE = "assets.extra/push.json"


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
        return PushRecord(**{**noted, "withdrawn": tuple(noted["withdrawn"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedRecord(f"{RECORD_FILE} cannot be read ({one_line(error)})") from error
