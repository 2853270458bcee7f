"""Fills a class list into a schema."""

from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.common.errors import DataError


def fill_classes(schema_text: str, classes: Sequence[str]) -> str:
    """Returns the schema (text proto) in which `class_name` takes the classes and `label` their indices.

    Args:
        schema_text: the curated schema, a text proto.
        classes: class names in the order of their labels.

    Raises:
        DataError: if the schema cannot be parsed or lacks one of the two features.
    """
    schema = parse_schema(schema_text)
    features = {feature.name: feature for feature in schema.feature}
    if missing := [name for name in ("class_name", "label") if name not in features]:
        raise DataError(f"got a schema without the feature {', '.join(missing)}, expected both of ImageExampleGen's")
    features["class_name"].string_domain.value[:] = list(classes)
    label = features["label"].int_domain
    label.min, label.max, label.is_categorical = 0, len(classes) - 1, True
    return str(text_format.MessageToString(schema, as_utf8=True))


def parse_schema(schema_text: str) -> schema_pb2.Schema:
    """Parses a text proto.

    Raises:
        DataError: with line and column if it is not a schema.
    """
    try:
        return text_format.Parse(schema_text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise DataError(f"the schema is not a text proto of tensorflow.metadata.v0.Schema: {error}") from error
