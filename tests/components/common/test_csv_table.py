"""Tables that spreadsheets and scripts read."""

import csv
import io

import pytest

from components.common.csv_table import csv_text


def test_a_table_is_read_back_whatever_its_cells_hold():
    rows = [{"name": 'a,"b"\n=c', "value": 0.5}, {"name": "d", "value": None}, {"value": 3}]
    text = csv_text(["name", "value"], rows)
    assert "\r" not in text
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert read == [{"name": 'a,"b"\n=c', "value": "0.5"}, {"name": "d", "value": ""}, {"name": "", "value": "3"}]


def test_a_column_that_the_header_lacks_is_an_error():
    with pytest.raises(ValueError, match="extra"):
        csv_text(["name"], [{"name": "a", "extra": 1}])
