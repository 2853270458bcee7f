"""What the trainer reads from the data's schema."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.common import files


def class_names_of(schema_path: str) -> list[str]:
    """The class names in label order: the string domain of `class_name`, which the ingest step's class list fills.

    Raises:
      OSError: the schema cannot be read.
      ValueError: the schema has no such domain.
    """
    schema = text_format.Parse(files.read_bytes(schema_path), schema_pb2.Schema())
    for feature in schema.feature:
        if feature.name == "class_name" and feature.string_domain.value:
            return list(feature.string_domain.value)
    raise ValueError(f"{schema_path}: no class list; expected a string_domain of the feature class_name")
