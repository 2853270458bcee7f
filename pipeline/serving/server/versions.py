"""The versions of one model: found in its folder, loaded and warmed before they answer, unloaded when they are idle."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from components.common import files
from components.common.errors import one_line
from components.served_model.record import is_version
from components.served_model.versions import pushed_models, pushed_versions, withdrawn
from components.serving_engine.engine import Engine, EngineError, load_engine, warm_up
from pipeline.serving.model_cache import local_copy
from pipeline.serving.server.batching import Batcher
from pipeline.serving.server.errors import ServingError, invalid
from pipeline.serving.server.settings import ServedFolder, ServerSettings
from pipeline.serving.server.signatures import Signatures, read_signatures

START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"
# As TensorFlow Serving's max_num_load_retries and load_retry_interval_micros.
LOAD_TRIES, RETRY_SECONDS = 6, 60.0
CARD_FILE = "assets.extra/model_card.md"
REMEMBERED = 10  # versions that ended and still show in the status
log = logging.getLogger("effnet.serve")


@dataclass
class Version:
    """A version that was seen, from START to END.

    Attributes:
        number: of the version.
        folder: its name: the number, maybe with leading zeros.
        state: as TensorFlow Serving has it.
        error: why it could not be loaded; "" if nothing is wrong.
        engine: of a version that is AVAILABLE or UNLOADING; likewise the batcher.
        signatures: of a version that was loaded.
        card: its model card, Markdown.
        tries: how often it was loaded in vain.
        retry_at: of the event loop's clock, when it may be tried again.
    """

    number: int
    folder: str
    state: str = START
    error: str = ""
    engine: Engine | None = None
    batcher: Batcher | None = None
    signatures: Signatures | None = None
    card: str = ""
    tries: int = 0
    retry_at: float = 0.0
    users: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


def version_number(text: str) -> int:
    """Reads a version in a URL.

    Raises:
        ServingError: if it is none.
    """
    if not is_version(text):
        raise invalid(f"got version {text[:40]}, expected a whole number of at most 63 bits")
    return int(text)


class ServedModel:
    """One model: what its folder holds, and what of it answers."""

    def __init__(self, folder: ServedFolder, settings: ServerSettings, observe_batch: Callable[[int], None]):
        """Nothing is loaded until `watch` runs."""
        self.folder, self._settings, self._observe_batch = folder, settings, observe_batch
        self.versions: dict[int, Version] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._look_failed = ""
        self._stand_ins: tuple[object, list[int]] = (None, [])

    @property
    def name(self) -> str:
        """In URLs and model specs."""
        return self.folder.name

    @property
    def newest(self) -> Version | None:
        """The version that answers to requests that name none."""
        return max(self._available(), key=lambda version: version.number, default=None)

    def newest_first(self) -> list[Version]:
        """Returns all versions that were seen, in whatever state."""
        return sorted(self.versions.values(), key=lambda version: -version.number)

    def path_of(self, version: Version) -> str:
        """Returns the folder of a version."""
        return files.join(self.folder.path, version.folder)

    def find(self, number: int | None = None, label: str = "") -> Version:
        """Returns the version that a request is for.

        Raises:
            ServingError: NOT_FOUND, in TensorFlow Serving's words.
        """
        if label:
            if label not in self.folder.labels:
                raise ServingError("NOT_FOUND", f"Unrecognized servable version label: {label}")
            number = self.folder.labels[label]
        if number is None:
            if self.newest is None:
                raise ServingError("NOT_FOUND", f"Servable not found for request: Latest({self.name})")
            return self.newest
        version = self.versions.get(number)
        if version is None or version.state != AVAILABLE:
            raise ServingError("NOT_FOUND", f"Servable not found for request: Specific({self.name}, {number})")
        return version

    @contextlib.asynccontextmanager
    async def using(self, version: Version) -> AsyncIterator[tuple[Engine, Batcher]]:
        """Keeps a version loaded while a request is answered."""
        if version.engine is None or version.batcher is None:
            raise AssertionError(f"version {version.number} is {version.state}")
        version.users += 1
        version.idle.clear()
        try:
            yield version.engine, version.batcher
        finally:
            version.users -= 1
            if not version.users:
                version.idle.set()

    async def watch(self) -> None:
        """Follows the folder until it is cancelled."""
        while True:
            try:
                await self.look()
                self._look_failed = ""
            except Exception as error:  # a storage that fails for a while leaves what is served
                if self._look_failed != str(error):
                    self._look_failed = str(error)
                    log.warning("%s: cannot look at %s: %s", self.name, self.folder.path, one_line(error))
            await asyncio.sleep(self._settings.poll)

    async def look(self) -> None:
        """Brings what is loaded in line with the folder once."""
        found = self._note(await asyncio.to_thread(pushed_versions, self.folder.path))
        wanted = {number for number in self.folder.labels.values() if number in found}
        for number in wanted:
            await self._try_to_load(self.versions[number])
        if found and (served := await self._load_newest(found)):
            wanted.add(served)
        if wanted & {version.number for version in self._available()}:
            for version in self._available():
                if version.number not in wanted:
                    self._unload(version)
        self._forget(found)

    async def close(self) -> None:
        """Unloads everything; requests have ended."""
        for version in self._available():
            self._unload(version)
        await asyncio.gather(*self._leaving)

    def _available(self) -> list[Version]:
        return [version for version in self.versions.values() if version.state == AVAILABLE]

    def _note(self, names: list[str]) -> list[int]:
        """Takes up the folders of versions; returns their numbers, the newest first."""
        folders: dict[int, str] = {}
        for name in sorted(names, key=lambda name: (int(name), -len(name))):
            folders[int(name)] = name  # of 7 and 007, which are one version, the plain one
        for number, name in folders.items():
            self.versions.setdefault(number, Version(number, name)).folder = name
        for number in self.versions.keys() - folders.keys():
            self.versions[number].tries = 0  # what is put there next is another model
        return sorted(folders, reverse=True)

    async def _load_newest(self, found: list[int]) -> int | None:
        """Makes the newest version available, else one that may stand in for it; returns which."""
        newest = self.versions[found[0]]
        if await self._try_to_load(newest):
            return newest.number
        looked_at = (tuple(found), newest.tries)
        if self._stand_ins[0] != looked_at:
            self._stand_ins = (looked_at, await asyncio.to_thread(self._find_stand_ins, newest.number))
        for number in self._stand_ins[1]:
            if number in found and await self._try_to_load(self.versions[number]):
                return number
        return None

    def _find_stand_ins(self, newest: int) -> list[int]:
        """Older versions that are whole and were not rolled back from; none if nobody can tell which were."""
        models = pushed_models(self.folder.path)
        left_out = {"", *withdrawn(models)}
        if models and models[0].record_is_lost:
            log.warning("%s: no older version stands in for %s: %s", self.name, models[0].version, models[0].problem)
        older = (model for model in models if int(model.version) < newest)
        return [int(model.version) for model in older if model.fingerprint not in left_out]

    async def _try_to_load(self, version: Version) -> bool:
        """Makes a version available; returns whether it is."""
        if version.state == AVAILABLE:
            return True
        now = asyncio.get_running_loop().time()
        if version.state == UNLOADING or version.tries >= LOAD_TRIES or (version.tries and now < version.retry_at):
            return False
        version.state, version.error = LOADING, ""
        try:
            engine, version.signatures, version.card = await asyncio.to_thread(self._load, version)
        except Exception as error:  # whatever is wrong with a version, the one before goes on answering
            version.state, version.error = END, one_line(error)
            version.tries, version.retry_at = version.tries + 1, now + RETRY_SECONDS
            log.error("%s: version %d cannot be loaded: %s", self.name, version.number, version.error)
            return False
        version.engine = engine
        version.batcher = Batcher(engine, self._settings.limits, self._observe_batch)
        version.tries, version.state = 0, AVAILABLE
        reason = f" ({engine.reason})" if engine.reason else ""
        log.info("%s: version %d is served by %s%s", self.name, version.number, engine.name, reason)
        return True

    def _load(self, version: Version) -> tuple[Engine, Signatures, str]:
        for model in pushed_models(self.folder.path):
            if model.version == version.folder and model.problem:
                if not model.fingerprint:  # nothing else that reads this folder takes it for a model
                    raise EngineError(model.problem)
                log.warning("%s: version %d: %s", self.name, version.number, model.problem)
        settings = self._settings
        path = local_copy(self.path_of(version))
        engine = load_engine(path, settings.engine, settings.limits.max_pixels, settings.threads)
        signatures = read_signatures(path)
        card_path = files.join(path, CARD_FILE)
        card = files.read_bytes(card_path).decode() if files.exists(card_path) else ""
        warm_up(engine)
        return engine, signatures, card

    def _unload(self, version: Version) -> None:
        version.state = UNLOADING
        task = asyncio.create_task(self._leave(version))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave(self, version: Version) -> None:
        while version.users:
            await version.idle.wait()
        if version.batcher:
            await version.batcher.close()
        version.engine = version.batcher = None
        version.state = END
        log.info("%s: version %d is no longer served", self.name, version.number)

    def _forget(self, found: list[int]) -> None:
        """Drops the oldest of what has ended and is no longer there."""
        gone = sorted(n for n, version in self.versions.items() if version.state == END and n not in found)
        for number in gone[:-REMEMBERED]:
            del self.versions[number]
