"""Starts and stops a server: both interfaces, the watch over the folders, signals."""

import asyncio
import logging
import signal
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from aiohttp import web

from components.common.printable import printable
from pipeline.config.secrets import SafeFormatter
from pipeline.serving.server.errors import ServingError
from pipeline.serving.server.grpc_service import ModelService, PredictionService, RequireToken
from pipeline.serving.server.inference import Registry
from pipeline.serving.server.metrics import Metrics
from pipeline.serving.server.protos import model_service_pb2_grpc, prediction_service_pb2_grpc
from pipeline.serving.server.rest import STOPPING, AccessLog, make_app
from pipeline.serving.server.security import tls_context
from pipeline.serving.server.settings import ServerSettings

log = logging.getLogger("effnet.serve")


class Server:
    """A running server.

    Attributes:
        rest_port: that it listens on.
        grpc_port: likewise.
    """

    def __init__(self, settings: ServerSettings):
        """Nothing runs until `start`."""
        self.settings = settings
        self.registry = Registry(settings, Metrics())
        self.rest_port = self.grpc_port = 0

    async def start(self) -> None:
        """Loads the models, then listens.

        Raises:
            OSError: if an address is taken.
            ServingError: if no version of a model can be loaded.
        """
        settings = self.settings
        for model in self.registry.models.values():
            await model.look()
            if model.newest is None:
                reasons = [version.error for version in model.versions.values() if version.error]
                await self._close_models()
                why = reasons[-1] if reasons else f"there is none in {model.folder.path}"
                raise ServingError("UNAVAILABLE", f"no version of {model.name} can be served: {why}")
        self._watches = [asyncio.create_task(model.watch()) for model in self.registry.models.values()]
        self._app = make_app(self.registry)
        access = logging.getLogger("effnet.access")
        self._rest = web.AppRunner(
            self._app, access_log_class=AccessLog, access_log=access, shutdown_timeout=settings.grace
        )
        await self._rest.setup()
        tls = tls_context(*settings.tls) if settings.tls else None
        site = web.TCPSite(self._rest, settings.host, settings.rest_port, ssl_context=tls)
        await site.start()
        self.rest_port = self._rest.addresses[0][1]
        await self._start_grpc()

    async def _start_grpc(self) -> None:
        settings = self.settings
        self._grpc = grpc.aio.server(
            interceptors=[RequireToken(settings.token)] if settings.token else [],
            options=[
                ("grpc.max_receive_message_length", settings.limits.body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # else two servers would share the port without a word
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.registry), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self.registry), self._grpc)
        address = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{address}:{settings.grpc_port}"
        try:
            if settings.tls:
                certificate, key = (path.read_bytes() for path in settings.tls)
                credentials = grpc.ssl_server_credentials([(key, certificate)])
                self.grpc_port = self._grpc.add_secure_port(address, credentials)
            else:
                self.grpc_port = self._grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}; choose another --grpc-port") from error
        await self._grpc.start()

    async def stop(self) -> None:
        """Takes no more requests, lets those that came end, and unloads."""
        self._app[STOPPING].append(True)
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await asyncio.gather(self._grpc.stop(self.settings.grace), self._rest.cleanup())
        await self._close_models()

    async def _close_models(self) -> None:
        for model in self.registry.models.values():
            await model.close()


async def serve_until_stopped(settings: ServerSettings, started: Callable[[Server], None]) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    await server.start()
    started(server)
    await stop.wait()
    log.info("stopping: waiting up to %g s for requests to end", settings.grace)
    await server.stop()
    log.info("stopped")


class OneLineFormatter(SafeFormatter):
    """One line a record, and a traceback indented below it: what a client sends never looks like another record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """See logging.Formatter."""
        return textwrap.indent(super().formatException(ei), "  ", lambda _: True)


def log_to_stderr(access: bool) -> None:
    """Writes the server's log, with a line for each request if `access`, and libraries' warnings to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter("%(asctime)s %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("effnet.serve").setLevel(logging.INFO)
    logging.getLogger("effnet.access").setLevel(logging.INFO if access else logging.ERROR)
