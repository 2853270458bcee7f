"""The versions of one model: found in its folder, loaded and warmed before they answer, unloaded when they are idle."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from components.common import files
from components.common.errors import GateError, one_line
from components.served_model.versions import pushed_versions, servable
from components.serving_engine.engine import Engine, load_engine, warm_up
from pipeline.serving.model_cache import local_copy
from pipeline.serving.server.batching import Batcher
from pipeline.serving.server.errors import ServingError
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
        name: of its folder: the number, maybe with leading zeros.
        state: as TensorFlow Serving has it.
        error: why it could not be loaded; "" if nothing is wrong.
        engine: of a version that is AVAILABLE or UNLOADING; likewise the batcher.
        signatures: of a version that was loaded.
        card: its model card, Markdown.
        tries: how often it was loaded in vain.
        retry_at: of the event loop's clock, when it may be tried again.
    """

    number: int
    name: str
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


class ServedModel:
    """One model: what its folder holds, and what of it answers."""

    def __init__(self, folder: ServedFolder, settings: ServerSettings, observe_batch: Callable[[int], None]):
        """Nothing is loaded until `watch` runs."""
        self.folder, self._settings, self._observe_batch = folder, settings, observe_batch
        self.versions: dict[int, Version] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._look_failed = ""

    @property
    def name(self) -> str:
        """In URLs and model specs."""
        return self.folder.name

    @property
    def newest(self) -> Version | None:
        """The version that answers to requests that name none."""
        return max(self._available(), key=lambda version: version.number, default=None)

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
        names = await asyncio.to_thread(pushed_versions, self.folder.path)
        found = [int(name) for name in names]
        for number, name in zip(found, names, strict=True):
            self.versions.setdefault(number, Version(number, name)).name = name
        wanted = {number for number in self.folder.labels.values() if number in found}
        for number in wanted:
            await self._try_to_load(self.versions[number])
        for number in await self._candidates(found):
            if await self._try_to_load(self.versions[number]):
                wanted.add(number)
                break
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

    async def _candidates(self, found: list[int]) -> list[int]:
        """The newest version, and behind it those to fall back to: older ones that nobody rolled back from."""
        if not found or self.versions[found[0]].state == AVAILABLE:
            return found[:1]
        try:
            whole = [int(model.version) for model in await asyncio.to_thread(servable, self.folder.path)]
        except GateError as error:  # what is loaded goes on answering
            log.warning("%s: %s", self.name, one_line(error))
            whole = []
        return [found[0], *(number for number in whole if number in found[1:])]

    async def _try_to_load(self, version: Version) -> bool:
        """Makes a version available; returns whether it is."""
        if version.state == AVAILABLE:
            return True
        now = asyncio.get_running_loop().time()
        if version.state == UNLOADING or version.tries >= LOAD_TRIES or (version.tries and now < version.retry_at):
            return False
        version.state, version.error = LOADING, ""
        try:
            engine, version.signatures, version.card = await asyncio.to_thread(self._load, version.name)
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

    def _load(self, name: str) -> tuple[Engine, Signatures, str]:
        path = local_copy(files.join(self.folder.path, name))
        settings = self._settings
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
