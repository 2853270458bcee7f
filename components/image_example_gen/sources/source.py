"""Finds what data.path stands for: a folder of images or of shards, a label file, an archive, or the spans of these."""

import datetime
import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from components.common import files
from components.common.errors import DataError, MissingData
from components.common.executor_types import Parameters
from components.image_example_gen.sources.csv_json_tables import is_table_name
from components.image_example_gen.sources.groups import group_by_name
from components.image_example_gen.sources.listing import Listing, Rejected, fingerprint, list_folder
from components.image_example_gen.sources.plan import IngestPlan, combine
from components.image_example_gen.sources.reading import Folder, plan_folder
from components.image_example_gen.sources.settings import AUTO, LEFT_OPEN, SHARDS, ReadingSettings
from components.image_example_gen.sources.shard_plan import plan_shards
from components.image_example_gen.sources.shards import Found, is_image_name, is_shard, kind_of, may_be_shard
from components.image_example_gen.sources.spans import PLACEHOLDER, SpanRule
from components.image_example_gen.sources.zip_archive import is_archive_name

MOST_LOOKED_INTO = 10_000  # files without a telling name, in a folder without images


class SpanFolders(NamedTuple):
    """What a path with {SPAN} leads to: the folder of the spans, the path below one, and what {SPAN} stands for.

    Of the last it is the folder's name by the text that takes the place of {SPAN}.
    """

    root: str
    rest: str
    names: dict[str, str]


@dataclass(frozen=True)
class Part:
    """A folder of images, of shards, or one with a label file that data.path names.

    Attributes:
        prefix: its path below the source's root, "" or ending with a slash.
        listing: what lies in it.
        manifest: name of the label file or archive that data.path names; "" where it names the folder.
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
        settings: how they are to be read.
    """

    root: str
    parts: list[Part]
    settings: ReadingSettings = LEFT_OPEN

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
        if self.shards and found is None:
            raise RuntimeError(f"nobody has read the {len(self.shards)} shards in {self.root} yet")
        found = list(found or ())
        plans = {}
        for part in self.parts:
            if part.shards:
                own = [item for item in found if item.path.startswith(part.prefix)]
                below = [replace(item, path=item.path.removeprefix(part.prefix)) for item in own]
                names = {shard.removeprefix(part.prefix) for shard in part.shards}
                plans[part.prefix] = plan_shards(below, part.listing, configured_classes, names)
            else:
                label_file = part.manifest if is_table_name(part.manifest) else ""
                folder = Folder(
                    files.join(self.root, part.prefix).rstrip("/") or "/", part.listing, label_file, bool(part.prefix)
                )
                plans[part.prefix] = plan_folder(folder, self.settings, configured_classes)
        return group_by_name(combine(plans, configured_classes), self.settings.group_pattern)


def source_of(exec_properties: Parameters) -> Source:
    """Returns what ImageExampleGen's parameters `path`, `span_*` and `reading` stand for."""
    spans = SpanRule(
        exec_properties["span_last"],
        int(exec_properties["span_window"]),
        bool(int(exec_properties["span_allow_missing"])),
    )
    return find_source(exec_properties["path"], spans, ReadingSettings(**json.loads(exec_properties["reading"])))


def find_source(
    path: str, spans: SpanRule, settings: ReadingSettings = LEFT_OPEN, folders: SpanFolders | None = None
) -> Source:
    """Lists what `path` stands for, without reading an image.

    Args:
        path: a folder of images or of shards, a label file beside or above its images, a zip archive, or one shard;
            {SPAN} in it is filled in.
        spans: which spans to take.
        settings: how it is to be read.
        folders: what `span_folders` has listed for `path`; None: list them here.

    Raises:
        DataError: if something is missing.
    """
    if PLACEHOLDER not in path:
        folder, manifest = _split_manifest(path)
        return Source(folder, [_part("", folder, manifest, settings)], settings)
    root, rest, names = folders or span_folders(path)
    chosen = spans.choose(names, datetime.datetime.now(datetime.UTC).date())
    parts = []
    for name in chosen:
        folder, manifest = _split_manifest(files.join(root, names[name], *([rest] if rest else [])))
        prefix = folder.removeprefix(root).strip("/") + "/"
        parts.append(_part(prefix, folder, manifest, settings))
    return Source(root, parts, settings)


def span_folders(path: str) -> SpanFolders:
    """Lists the folders that a path with {SPAN} leads to.

    Raises:
        DataError: if the path has the placeholder twice, or there is no such folder.
    """
    head, _, tail = path.partition(PLACEHOLDER)
    if PLACEHOLDER in tail:
        raise DataError(f"got {PLACEHOLDER} twice in {path}: expected it once in data.path")
    root, before = posixpath.split(head)
    after, _, rest = tail.partition("/")
    named = re.compile(f"{re.escape(before)}(.+){re.escape(after)}")
    names = {match[1]: name for name in _folders(root) if (match := named.fullmatch(name))}
    return SpanFolders(root, rest, names)


def _split_manifest(path: str) -> tuple[str, str]:
    folder, name = posixpath.split(path)
    is_file = is_table_name(name) or is_archive_name(name) or is_shard(name)
    return (folder, name) if is_file and not Path(path).is_dir() else (path, "")


def _part(prefix: str, folder: str, manifest: str, settings: ReadingSettings) -> Part:
    listing = list_folder(folder)
    if manifest and manifest not in (entry.path for entry in listing.files):
        raise DataError(f"got no file {manifest} in {folder}, expected it there: correct data.path")
    if manifest and not is_table_name(manifest):  # an archive or a shard, and nothing beside it
        listing = Listing([entry for entry in listing.files if entry.path == manifest])
    shards = () if is_table_name(manifest) else _shards(prefix, folder, listing, settings)
    return Part(prefix, listing, manifest, shards)


def _shards(prefix: str, folder: str, listing: Listing, settings: ReadingSettings) -> tuple[str, ...]:
    """Returns the shards of a folder, below the source's root.

    An archive that lies among images is no data set; it is quarantined as a file that is not an image.
    """
    images = any(is_image_name(entry.path) for entry in listing.files)
    if settings.layout not in (AUTO, SHARDS) or (images and settings.layout != SHARDS):
        return ()
    named = [entry.path for entry in listing.files if is_shard(entry.path)]
    if not named and not any(is_archive_name(entry.path) for entry in listing.files):
        unnamed = [entry.path for entry in listing.files if may_be_shard(entry.path)][:MOST_LOOKED_INTO]
        named = [path for path in unnamed if _holds_records(files.join(folder, path))]
    return tuple(prefix + path for path in named)


def _holds_records(path: str) -> bool:
    try:
        with files.open_binary(path) as file:
            return bool(kind_of(file))
    except OSError:
        return False  # the ingest names it


def _folders(root: str) -> list[str]:
    if files.is_remote(root):
        return [folder for folder in list_folder(root).folders if "/" not in folder]
    if not Path(root).is_dir():
        raise MissingData(f"got no folder {root}, expected the one that holds the spans: correct data.path")
    return [entry.name for entry in Path(root).iterdir() if entry.is_dir()]
