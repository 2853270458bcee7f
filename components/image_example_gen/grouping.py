"""What must stay together, and the split it gets: the Beam part between the two passes over the files.

    surveyed -> BySha256 -> same content under two classes: quarantined
             -> links between copies, near copies and groups -> Join -> units
             -> ByUnit -> given splits that a unit would straddle: quarantined
             -> drafts for rare classes -> (split, surveyed)

Only what is known of the images passes through here, some 500 bytes each. Links exist for images that have copies; one
worker joins them to units, and it alone holds all links (a quarter of a kilobyte each) in memory.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam

from components.common.beam_types import Elements, Emitted, NamedElements, Transform
from components.image_example_gen.balance import IDENTICAL, IN, LABELS, LEAKS, NEAR, OUT
from components.image_example_gen.first_pass import Surveyed, count, reject
from components.image_example_gen.images.near_duplicates import bands, near_pairs
from components.image_example_gen.split import SplitRule, merge_firsts

Link = tuple[str, str]
SHOWN = 3  # names in a message
_STRICTEST_FIRST = ("eval", "val")


def node_of(surveyed: Surveyed) -> str:
    """Returns the name of what an image belongs to before copies are looked for: its group, else its content."""
    return f"group {surveyed.file.group}" if surveyed.file.group else surveyed.sha256


class AssignSplits(Transform):
    """Turns `Surveyed` images into (split, `Surveyed`) in "assigned", "quarantine" and "counts".

    No content, group or (if asked for) near copy has members in two splits afterwards.
    """

    def __init__(self, classes: list[str], rule: SplitRule, near_duplicates: bool):
        super().__init__()
        self._classes = classes
        self._rule = rule
        self._near_duplicates = near_duplicates

    def expand(self, surveyed: Elements) -> NamedElements:
        """Wires the steps."""
        sound = (
            surveyed
            | "BySha256" >> beam.GroupBy(lambda image: image.sha256)
            | "CheckLabels" >> beam.ParDo(CheckLabels(self._classes)).with_outputs("quarantine", "counts", main="sound")
        )
        links = [sound.sound | "LinkContents" >> beam.Map(lambda image: (image.sha256, node_of(image))) | LinkEqual()]
        if self._near_duplicates:
            links.append(sound.sound | LinkNear())
        units = links | beam.Flatten() | "OneWorker" >> beam.GroupBy(lambda _: 0) | "Join" >> beam.FlatMap(join)
        settled = (
            (sound.sound | "ByNode" >> beam.Map(lambda image: (node_of(image), image)), units)
            | "WithUnit" >> beam.CoGroupByKey()
            | "NameUnit" >> beam.FlatMap(name_unit)
            | "ByUnit" >> beam.GroupByKey()
            | "Settle" >> beam.ParDo(Settle(self._rule)).with_outputs("quarantine", "counts", main="settled")
        )
        drafted = (
            settled.settled
            | "Firsts" >> beam.Map(self._first)
            | "FirstsOfClass" >> beam.CombinePerKey(merge_firsts)
            | "Draft" >> beam.FlatMap(lambda of_class: self._rule.drafts(of_class[1]))
            | "DraftOnce" >> beam.CombinePerKey(min)  # a group may have several classes, and each may call for it
        )
        assigned = settled.settled | "Assign" >> beam.Map(
            lambda settled, drafts: (drafts.get(settled[1], settled[0]), settled[2]), beam.pvalue.AsDict(drafted)
        )
        return {
            "assigned": assigned,
            "quarantine": (sound.quarantine, settled.quarantine) | "Quarantine" >> beam.Flatten(),
            "counts": (sound.counts, settled.counts) | "Counts" >> beam.Flatten(),
        }

    def _first(self, settled: tuple[str, str, Surveyed]) -> tuple[int, dict[str, list[tuple[float, str]]]]:
        split, unit, image = settled
        return image.file.label, {split: [(self._rule.position(unit), unit)]}


class CheckLabels(beam.DoFn):
    """Lets images pass whose content has one class; the others teach the opposite of one another."""

    def __init__(self, classes: list[str]):
        self._classes = classes

    def process(self, content: tuple[str, Iterable[Surveyed]]) -> Iterator[Emitted]:
        """Yields the images of one content."""
        _, images = content
        shown: dict[int, str] = {}
        copies = -1
        for image in images:
            copies += 1
            shown[image.file.label] = min(shown.get(image.file.label, image.file.path), image.file.path)
        names = " and ".join(f"{path} ({self._classes[label]})" for label, path in sorted(shown.items())[:SHOWN])
        for image in images:
            yield count(IN, LABELS)
            if len(shown) > 1:
                yield from reject(LABELS, image.file, "two_classes", f"one image under several classes: {names}")
            else:
                yield count(OUT, LABELS)
                yield image
        for _ in range(copies):
            yield count(IDENTICAL)


class LinkEqual(Transform):
    """Links the nodes that have a key in common: (key, node) to `Link`s, as few as join them."""

    def expand(self, keyed: Elements) -> Elements:
        """Wires the steps."""
        links: Elements = (
            keyed | beam.Distinct() | beam.GroupByKey() | beam.FlatMap(lambda group: link_to_first(group[1]))
        )
        return links


class LinkNear(Transform):
    """Links the nodes with near perceptual hashes."""

    def expand(self, images: Elements) -> Elements:
        """Wires the steps."""
        by_hash = (
            images
            | beam.Map(lambda image: (image.image.perceptual_hash, node_of(image)))
            | beam.Distinct()
            | beam.GroupByKey()
        )
        equal = by_hash | "LinkEqual" >> beam.FlatMap(lambda group: link_to_first(group[1]))
        near = (
            by_hash
            # One node stands for all of the same hash: flat pictures must not be compared each with each.
            | "Represent" >> beam.MapTuple(lambda value, nodes: (value, min(nodes)))
            | "Bands" >> beam.FlatMapTuple(lambda value, node: [(band, (value, node)) for band in bands(value)])
            | "ByBand" >> beam.GroupByKey()
            | "LinkNear" >> beam.FlatMap(lambda group: link_near(group[1]))
        )
        links: Elements = (equal, near) | beam.Flatten()
        return links


def link_to_first(nodes: Iterable[str]) -> list[Link]:
    """Returns the links that join `nodes` to one unit."""
    first, *others = sorted(set(nodes))
    return [(first, other) for other in others]


def link_near(hashed: Iterable[tuple[str, str]]) -> list[Link]:
    """Returns a link for each two of (hash, node) whose hashes are near."""
    hashes, nodes = zip(*sorted(hashed), strict=True)
    return [(nodes[i], nodes[j]) for i, j in near_pairs(hashes) if nodes[i] != nodes[j]]


def join(group: tuple[int, Iterable[Link]]) -> Iterator[tuple[str, str]]:
    """Yields (node, unit) for every node with a link; a unit has the name of its first node."""
    parents: dict[str, str] = {}

    def find(node: str) -> str:
        while (parent := parents.setdefault(node, node)) != node:
            parents[node] = parents[parent]
            node = parent
        return node

    for one, other in group[1]:
        first, second = sorted((find(one), find(other)))
        parents[second] = first
    for node in list(parents):
        yield node, find(node)


def name_unit(joined: tuple[str, tuple[Iterable[Surveyed], Iterable[str]]]) -> Iterator[tuple[str, Surveyed]]:
    """Yields (unit, image) for the images of a node."""
    node, (images, units) = joined
    unit = next(iter(units), node)
    for image in images:
        yield unit, image


class Settle(beam.DoFn):
    """Gives a unit one split: the strictest that folders or the manifest give one of its members, else the rule's.

    A member that was given to another split is set aside: a training image that is also in eval would be learned by
    heart. Yields (split, unit, image).
    """

    def __init__(self, rule: SplitRule):
        self._rule = rule

    def process(self, members: tuple[str, Iterable[Surveyed]]) -> Iterator[Emitted]:
        """Yields the images of one unit."""
        unit, images = members
        held_out: dict[str, str] = {}
        contents = set()
        for image in images:
            given, path = image.file.split, image.file.path
            held_out[given] = min(held_out.get(given, path), path)
            contents.add(image.sha256)
        split = next((name for name in _STRICTEST_FIRST if name in held_out), "") or self._rule.split_of(unit)
        for image in images:
            yield count(IN, LEAKS)
            given = image.file.split
            if split in held_out and given not in ("", split):
                message = f"a copy of it, or of its group, is in {split}: {held_out[split]}"
                yield from reject(LEAKS, image.file, "in_two_splits", message)
            else:
                yield count(OUT, LEAKS)
                yield split, unit, image
        if not next(iter(images)).file.group:
            for _ in range(len(contents) - 1):
                yield count(NEAR)
