"""The curated schema with a class list."""

from pathlib import Path

import pytest

from components.common.errors import DataError
from components.curated_schema.schema import fill_classes, parse_schema

SCHEMA = (Path(__file__).parents[2] / "data" / "schema.pbtxt").read_text()


@pytest.fixture
def features():
    schema = parse_schema(fill_classes(SCHEMA, ["zebra", "ant", "été"]))
    return {feature.name: feature for feature in schema.feature}


def test_class_names_keep_the_order_of_their_labels(features):
    assert list(features["class_name"].string_domain.value) == ["zebra", "ant", "été"]
    label = features["label"].int_domain
    assert (label.min, label.max, label.is_categorical) == (0, 2, True)


def test_every_feature_is_required_and_dense(features):
    assert set(features) == {
        "image", "label", "class_name", "path", "sha256", "width", "height", "format", "brightness",
    }  # fmt: skip
    for feature in features.values():
        assert feature.presence.min_fraction == 1.0
        assert [dim.size for dim in feature.shape.dim] == [1]


def test_no_value_may_be_anything_but_an_image(features):
    assert features["image"].image_domain.minimum_supported_image_fraction == 1.0


@pytest.mark.parametrize("name", ["path", "sha256", "format"])
def test_free_text_has_no_list_of_values(features, name):
    assert features[name].WhichOneof("domain_info") is None


@pytest.mark.parametrize("text", ["feature {", 'feature { name: "label" }'])
def test_a_schema_that_cannot_be_filled_is_refused(text):
    with pytest.raises(DataError):
        fill_classes(text, ["a", "b"])
