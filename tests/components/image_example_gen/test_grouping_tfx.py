"""No content, no group and no near copy lies in two splits, whatever the set of images."""

import hashlib
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from components.image_example_gen.images.codec import NormalisedImage
from components.image_example_gen.images.near_duplicates import NEAR_BITS
from components.image_example_gen.sources.plan import ImageFile
from components.image_example_gen.split import SPLITS, SplitRule

pytestmark = [pytest.mark.tfx, pytest.mark.usefixtures("in_memory_beam")]

CLASSES = ["cat", "dog", "owl"]
RULE = SplitRule(0.3, 0.3, seed=1)
# Few contents, groups and hashes, so that most images have company; the hashes come in two crowds of near ones.
images = st.lists(
    st.tuples(
        st.integers(0, 9),  # content
        st.sampled_from([0, 0, 0, 1, 2]),  # class
        st.sampled_from(["", "", "", "train", "val", "eval"]),  # given split
        st.sampled_from(["", "", "", "ann", "bob"]),  # group
    ),
    min_size=10,
    max_size=60,
)


def hash_of(content: int) -> int:
    """Contents 0 to 3 and 4 to 6 differ by few bits from their neighbour; 7 to 9 are far from all."""
    crowd = {0: 0, 1: 0b1111, 2: 0b1111 << 4 | 0b1111, 3: 0b1111 << 8 | 0b1111 << 4 | 0b1111}
    return crowd.get(content, (1 << 100) - 1 << 20 * content if content > 6 else (1 << 90) + (1 << content))


def surveyed_from(number: int, content: int, label: int, split: str, group: str):
    from components.image_example_gen.first_pass import Surveyed

    image = NormalisedImage(b"", "png", 8, 8, 0.5, f"{hash_of(content) % 2**256:064x}", ())
    return Surveyed(ImageFile(f"{number}.png", 1, label, split, group), f"{content:064x}", image)


def assign(surveyed, near_duplicates=True, rule=RULE):
    """Runs the Beam part; returns (split, image) pairs and the quarantined paths with their reasons."""
    import apache_beam as beam

    from components.image_example_gen.grouping import AssignSplits

    with tempfile.TemporaryDirectory() as folder:
        with beam.Pipeline() as pipeline:
            outputs = pipeline | beam.Create(surveyed) | AssignSplits(CLASSES, rule, near_duplicates)
            lines = {
                "assigned": outputs["assigned"] | beam.MapTuple(lambda split, image: [split, image.file.path]),
                "quarantine": outputs["quarantine"] | beam.Map(lambda line: [line.path, line.reason, line.message]),
            }
            for name, collection in lines.items():
                to_text = beam.io.WriteToText(f"{folder}/{name}", shard_name_template="")
                _ = collection | f"{name} as JSON" >> beam.Map(json.dumps) | f"write {name}" >> to_text
        assigned, quarantine = (
            [json.loads(line) for line in Path(folder, name).read_text().splitlines()]
            for name in ("assigned", "quarantine")
        )
    images_of = {image.file.path: image for image in surveyed}
    return [(split, images_of[path]) for split, path in assigned], {
        path: (reason, message) for path, reason, message in quarantine
    }


def near(one, other) -> bool:
    return (int(one.image.perceptual_hash, 16) ^ int(other.image.perceptual_hash, 16)).bit_count() <= NEAR_BITS


# Without shrinking, which would run a pipeline some hundred times.
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(drawn=images)
def test_nothing_lies_in_two_splits_and_nothing_is_lost(drawn):
    surveyed = [surveyed_from(number, *image) for number, image in enumerate(drawn)]
    assigned, quarantined = assign(surveyed)
    assert len(assigned) + len(quarantined) == len(surveyed)
    for split, image in assigned:
        assert split in SPLITS
        # Who was given to val or eval stays there; train may be cut for them.
        assert image.file.split in ("", "train", split)
        for other_split, other in assigned:
            same_group = image.file.group and image.file.group == other.file.group
            if image.sha256 == other.sha256 or same_group or near(image, other):
                assert split == other_split
    labels = defaultdict(set)
    for image in surveyed:
        labels[image.sha256].add(image.file.label)
    torn = {image.file.path for image in surveyed if len(labels[image.sha256]) > 1}
    assert {path for path, (reason, _) in quarantined.items() if reason == "two_classes"} == torn


def test_the_quarantine_names_both_classes_and_both_splits():
    surveyed = [
        surveyed_from(0, 7, 0, "", ""),
        surveyed_from(1, 7, 1, "", ""),
        surveyed_from(2, 8, 1, "train", ""),
        surveyed_from(3, 8, 1, "eval", ""),
    ]
    assigned, quarantined = assign(surveyed)
    assert [(split, image.file.path) for split, image in assigned] == [("eval", "3.png")]
    assert quarantined["0.png"] == ("two_classes", "one image under several classes: 0.png (cat) and 1.png (dog)")
    assert quarantined["2.png"] == ("in_two_splits", "a copy of it, or of its group, is in eval: 3.png")


def many(numbers, label=0):
    """Images without company."""
    from components.image_example_gen.first_pass import Surveyed

    for number in numbers:
        content = hashlib.sha256(str(number).encode()).hexdigest()
        image = NormalisedImage(b"", "png", 8, 8, 0.5, content, ())
        yield Surveyed(ImageFile(f"{number}.png", 1, label, ""), content, image)


def test_the_split_of_an_image_stays_when_others_are_added():
    few, more = list(many(range(100))), list(many(range(200)))
    before, after = ({image.file.path: split for split, image in assign(images)[0]} for images in (few, more))
    assert before.items() <= after.items()
    shares = [list(after.values()).count(split) / 200 for split in SPLITS]
    assert shares == pytest.approx([0.4, 0.3, 0.3], abs=0.1)


def test_a_rare_class_is_in_every_split():
    rare = SplitRule(0.01, 0.01, seed=1)
    assigned, _ = assign([*many(range(30)), *many(range(30, 33), label=1), *many([33], label=2)], rule=rare)
    splits = defaultdict(set)
    for split, image in assigned:
        splits[image.file.label].add(split)
    assert splits == {0: set(SPLITS), 1: set(SPLITS), 2: {"train"}}


def test_near_copies_are_only_kept_together_where_it_is_asked_for():
    crowd = [surveyed_from(number, 4 + number % 3, 0, split, "") for number, split in enumerate(("train", "eval"))]
    assert len(assign(crowd)[0]) == 1
    assert len(assign(crowd, near_duplicates=False)[0]) == 2
