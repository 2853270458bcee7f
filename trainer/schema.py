"""What the trainer reads from the data's schema."""

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2


def class_names_of(schema_path: str) -> list[str]:
    """The class names in label order: the string domain of `class_name`, which the ingest step's class list fills.

    Raises:
      ValueError: the schema has no such domain.
    """
    schema = text_format.Parse(tf.io.gfile.GFile(schema_path).read(), schema_pb2.Schema())
    for feature in schema.feature:
        if feature.name == "class_name" and feature.string_domain.value:
            return list(feature.string_domain.value)
    raise ValueError(f"{schema_path}: no class list; expected a string_domain of the feature class_name")
