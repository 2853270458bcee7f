"""The meaning of a value in a label file, or in a sample's JSON: one text, none, or several."""

import math
from typing import Any


class SeveralValues(ValueError):
    """More than one label for one image."""


class NoText(ValueError):
    """A value that is neither a text nor a number."""


def plain_text(value: Any) -> str:
    """Returns a value as a text without blanks around it; JSON's null and NaN are "", a list of one is its member.

    Label Studio's {"choices": ["cat"]} is its choice, and 3.0 is "3", as spreadsheets write whole numbers.

    Raises:
        SeveralValues: for a list of more.
        NoText: for other objects.
    """
    if isinstance(value, str):  # nearly always
        return value.strip()
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        value = value["choices"]
    if isinstance(value, list | tuple):
        if len(value) > 1:
            raise SeveralValues(f"{len(value)} labels ({', '.join(map(str, value[:4]))})")
        value = value[0] if value else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return value.strip()
    raise NoText(f"got {type(value).__name__}, expected a text or a number")
