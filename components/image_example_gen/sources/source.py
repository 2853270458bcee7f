"""Finds what data.path stands for: a folder of images or of shards, a manifest, or the spans of any of these."""

import datetime
import hashlib
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.common import files
from components.common.errors import DataError, MissingData
from components.common.executor_types import Parameters
from components.image_example_gen.sources.folders import IngestPlan, combine, plan_folders
from components.image_example_gen.sources.listing import Listing, Rejected, fingerprint, list_folder
from components.image_example_gen.sources.manifest import SUFFIXES, plan_manifest
from components.image_example_gen.sources.shard_plan import plan_shards
from components.image_example_gen.sources.shards import Found, is_image_name, is_shard
from components.image_example_gen.sources.spans import PLACEHOLDER, SpanRule


@dataclass(frozen=True)
class Part:
    """A folder of images, of shards, or one with a manifest.

    Attributes:
        prefix: its path below the source's root, "" or ending with a slash.
        listing: what lies in it.
        manifest: name of the manifest in it; "" for folders without.
        shards: paths of the shards in it, below the source's root; empty where the images are files.
    """

    prefix: str
    listing: Listing
    manifest: str
    shards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """All images of an ingest.

    Attributes:
        root: the folder that paths are relative to.
        parts: one, or one a span.
    """

    root: str
    parts: list[Part]

    def fingerprint(self) -> str:
        """Returns a sha256 (64 hex digits) that changes with the files and with the spans that are read."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(f"{part.prefix}\0{part.manifest}\0{fingerprint(part.listing)}\n".encode())
        return digest.hexdigest()

    @property
    def shards(self) -> list[str]:
        """The shards of all parts, below the root; what lies in them has to be found before `plan`."""
        return [shard for part in self.parts for shard in part.shards]

    def plan(
        self, configured_classes: Sequence[str] = (), found: Iterable[Found | Rejected] | None = None
    ) -> IngestPlan:
        """Sorts the images into classes and splits.

        Args:
            configured_classes: the classes in the order of their labels; empty takes those that are there, by name.
            found: what lies in `shards`, if there are any.

        Raises:
            DataError: if they cannot be learned from.
        """
        plans = {}
        if self.shards and found is None:
            raise DataError(
                f"got {len(self.shards)} shards in {self.root}, whose classes are known only once a run has read them: "
                "write data.path into pipeline.yaml yourself"
            )
        found = list(found or ())
        for part in self.parts:
            if part.shards:
                own = [item for item in found if item.path.startswith(part.prefix)]
                below = [replace(item, path=item.path.removeprefix(part.prefix)) for item in own]
                plans[part.prefix] = plan_shards(below, part.listing, configured_classes)
            elif part.manifest:
                path = files.join(self.root, part.prefix + part.manifest)
                plans[part.prefix] = plan_manifest(files.read_bytes(path), part.manifest, part.listing)
            else:
                plans[part.prefix] = plan_folders(part.listing)
        return combine(plans, configured_classes)


def source_of(exec_properties: Parameters) -> Source:
    """Returns what ImageExampleGen's parameters `path` and `span_*` stand for."""
    spans = SpanRule(
        exec_properties["span_last"],
        int(exec_properties["span_window"]),
        bool(int(exec_properties["span_allow_missing"])),
    )
    return find_source(exec_properties["path"], spans)


def find_source(path: str, spans: SpanRule) -> Source:
    """Lists what `path` stands for, without reading an image.

    Args:
        path: a folder of images or of shards, or a manifest (.csv, .jsonl) beside or above its images; {SPAN} in it is
            filled in.
        spans: which spans to take.

    Raises:
        DataError: if something is missing.
    """
    if PLACEHOLDER not in path:
        folder, manifest = _split_manifest(path)
        return Source(folder, [_part("", folder, manifest)])
    root, rest, names = span_folders(path)
    chosen = spans.choose(names, datetime.datetime.now(datetime.UTC).date())
    parts = []
    for name in chosen:
        folder, manifest = _split_manifest(files.join(root, names[name], *([rest] if rest else [])))
        prefix = folder.removeprefix(root).strip("/") + "/"
        parts.append(_part(prefix, folder, manifest))
    return Source(root, parts)


def span_folders(path: str) -> tuple[str, str, dict[str, str]]:
    """Returns what a path with {SPAN} leads to: the folder of the spans, what follows below one, and the spans.

    Of these it is what stands for {SPAN} -> the folder's name.

    Raises:
        DataError: if the path has the placeholder twice, or there is no such folder.
    """
    head, _, tail = path.partition(PLACEHOLDER)
    if PLACEHOLDER in tail:
        raise DataError(f"got {PLACEHOLDER} twice in {path}: expected it once in data.path")
    root, before = posixpath.split(head)
    after, _, rest = tail.partition("/")
    named = re.compile(f"{re.escape(before)}(.+){re.escape(after)}")
    return root, rest, {match[1]: name for name in _folders(root) if (match := named.fullmatch(name))}


def _split_manifest(path: str) -> tuple[str, str]:
    folder, name = posixpath.split(path)
    return (folder, name) if name.lower().endswith(SUFFIXES) else (path, "")


def _part(prefix: str, folder: str, manifest: str) -> Part:
    listing = list_folder(folder)
    if manifest and manifest not in (entry.path for entry in listing.files):
        raise DataError(f"got no file {manifest} in {folder}, expected the manifest there: correct data.path")
    # An archive that lies among images is no data set; it is quarantined as a file that is not an image.
    images = manifest or any(is_image_name(entry.path) for entry in listing.files)
    shards = () if images else tuple(prefix + entry.path for entry in listing.files if is_shard(entry.path))
    return Part(prefix, listing, manifest, shards)


def _folders(root: str) -> list[str]:
    if files.is_remote(root):
        return [folder for folder in list_folder(root).folders if "/" not in folder]
    if not Path(root).is_dir():
        raise MissingData(f"got no folder {root}, expected the one that holds the spans: correct data.path")
    return [entry.name for entry in Path(root).iterdir() if entry.is_dir()]
