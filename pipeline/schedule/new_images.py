"""Which images a scheduled run would find: the spans, the new files, the drift from the served model's images.

A file is new if no run that reached a verdict has read its bytes with its class: a copy under another name or on
another day is not new, the same image in another class folder is. Bytes are read only if no such run has seen the
file's name, size and time together. In shards and in remote storage, these three alone identify a file.
"""

import contextlib
import datetime
import hashlib
import posixpath
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from components.common import files
from components.common.errors import DamagedRecord, MissingData
from components.common.profile import FEATURES, PROFILE_PATH, divergence, kinds, read_profile
from components.common.sampling import spread
from components.image_example_gen.images.codec import normalise_image
from components.image_example_gen.images.damage import ImageError, check_size
from components.image_example_gen.sources.image_bytes import bytes_of, read_image
from components.image_example_gen.sources.plan import ImageFile, IngestPlan
from components.image_example_gen.sources.source import Source, find_source, span_folders
from components.image_example_gen.sources.spans import PLACEHOLDER, SpanRule
from components.image_example_gen.sources.zip_archive import is_archive_name
from components.served_model.record import read_record
from components.served_model.versions import served_path
from pipeline.config.model import PipelineConfig
from pipeline.schedule.database import AttemptDatabase

MOST_OPENED = 1000  # images that are opened to measure their drift
THREADS = 4  # for Pillow and the disk to work at once


@dataclass(frozen=True)
class FileId:
    """A file, before its content is read.

    Attributes:
      listing: hash of its path, size and time.
      part: number of its part among the source's.
      path: below that part.
    """

    listing: int
    part: int
    path: str


@dataclass(frozen=True)
class NewImages:
    """What a run would find; see `policy.ImagesFound`.

    Attributes:
      config: of the pipeline.
      store: the history.
      missing: why there is nothing to run on; "" if there is something.
      spans: those to read, the oldest first; empty if data.path has none.
      span: the newest of them.
      source: the files; None if they are missing.
      ids: of the files that a run would read.
    """

    config: PipelineConfig
    store: AttemptDatabase
    missing: str = ""
    spans: tuple[str, ...] = ()
    span: str = ""
    source: Source | None = None
    ids: list[FileId] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Files that a run would read."""
        return len(self.ids)

    @cached_property
    def new_images(self) -> int:
        """Files that no run that reached a verdict has read, without copies of each other."""
        return len(self.store.unseen_contents(self.contents.values()))

    @cached_property
    def contents(self) -> dict[int, int]:
        """Hash of the listing -> hash of the content, of the files whose listing no judged run knows."""
        unknown = self.store.unseen(entry.listing for entry in self.ids)
        read = [entry for entry in self.ids if entry.listing in unknown]
        with ThreadPoolExecutor(THREADS) as pool:
            return dict(zip((entry.listing for entry in read), pool.map(self._content, read), strict=True))

    @cached_property
    def served_since(self) -> datetime.datetime | None:
        """When the served model was pushed; None if there is none."""
        served = served_path(self.config.push_path)
        if not served:
            return None
        try:
            pushed_at = read_record(served).pushed_at
        except DamagedRecord:
            pushed_at = ""
        if pushed_at:
            return datetime.datetime.fromisoformat(pushed_at)
        # A model that another program pushed, or whose record is damaged: its version is a Unix time, as with every
        # pusher of TFX. One that is no time in our era is as old as can be.
        with contextlib.suppress(OverflowError, ValueError, OSError):
            return datetime.datetime.fromtimestamp(int(posixpath.basename(served)), datetime.UTC)
        return datetime.datetime.fromtimestamp(0, datetime.UTC)

    def drift(self) -> Mapping[str, float] | None:
        """Feature -> divergence from the served model's images, 0 to 1, from a sample.

        None if it is unknown: the images are in shards, or the served model has no profile of its images, because
        another program pushed it.

        Raises:
          DataError: the files are no data set.
        """
        assert self.source is not None
        served_model = served_path(self.config.push_path)
        if self.source.shards or not files.exists(files.join(served_model, *PROFILE_PATH)):
            return None
        served, profile = read_profile(served_model), self._profile()
        return {name: divergence(profile[name], served[name]) for name in FEATURES if profile[name] and name in served}

    def note_seen(self) -> None:
        """Notes that a run that reached a verdict has read the files."""
        self.store.add_seen(self.contents.items())

    def _content(self, entry: FileId) -> int:
        assert self.source is not None
        part = self.source.parts[entry.part]
        if part.shards or is_archive_name(entry.path) or files.is_remote(self.source.root):
            return entry.listing
        try:
            data = files.read_bytes(files.join(self.source.root, part.prefix + entry.path))
        except OSError:
            return entry.listing  # the run names the file that cannot be read
        return _hash(posixpath.dirname(entry.path).encode(), hashlib.sha256(data).digest())

    def _profile(self) -> dict[str, Counter[str]]:
        assert self.source is not None
        counts: dict[str, Counter[str]] = {name: Counter() for name in FEATURES}
        plan = self.source.plan(self.config.data.classes)
        with ThreadPoolExecutor(THREADS) as pool:
            for found in pool.map(lambda file: self._kinds(plan, file), spread(plan.images, MOST_OPENED)):
                for name, kind in found:
                    counts[name][kind] += 1
        return counts

    def _kinds(self, plan: IngestPlan, file: ImageFile) -> list[tuple[str, str]]:
        assert self.source is not None
        try:
            check_size(bytes_of(file), self.config.data.max_pixels)
            image = normalise_image(read_image(self.source.root, file), self.config.data.max_pixels)
        except (ImageError, OSError):
            return []  # the run quarantines it
        return list(kinds(plan.classes[file.label], image.brightness, image.width, image.height, image.format))


def look_at(config: PipelineConfig, store: AttemptDatabase, day: datetime.date, span: str = "") -> NewImages:
    """Lists the images of a run, without opening one.

    Args:
      config: of the pipeline.
      store: the history, which knows the files that runs have read.
      day: of the run: "today" and "yesterday" count from it, and "latest" is no later.
      span: to read as the newest one; "": as data.span.last says.

    Raises:
      DataError: the files are not laid out as a data set.
    """
    settings = config.data.span
    rule = SpanRule(span or settings.last, config.schedule.window or settings.window, settings.allow_missing)
    spans: tuple[str, ...] = ()
    newest, folders = span, None
    try:
        if PLACEHOLDER in config.data.path:
            folders = span_folders(config.data.path)
            rule = rule.as_of(folders.names, day)
            spans, newest = tuple(rule.choose(folders.names, day)), rule.last
        source = find_source(config.data.path, rule, config.data.reading, folders)
    except MissingData as error:
        return NewImages(config, store, missing=str(error), span=newest)
    ids = [
        FileId(_hash(f"{part.prefix}{entry.identity}".encode()), number, entry.path)
        for number, part in enumerate(source.parts)
        for entry in part.listing.files
    ]
    return NewImages(config, store, spans=spans, span=newest, source=source, ids=ids)


def _hash(*parts: bytes) -> int:
    """63 bits, as SQLite's integers hold."""
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
