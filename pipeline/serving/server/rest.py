"""TensorFlow Serving's REST interface, the probes and the metrics, over aiohttp."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence

import orjson
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from pipeline.serving.server import rest_json
from pipeline.serving.server.errors import INTERNAL_ERROR, ServingError, TooLarge, invalid
from pipeline.serving.server.explain import Explainer
from pipeline.serving.server.inference import Answer, Registry
from pipeline.serving.server.page import NO_SECRETS, page_routes
from pipeline.serving.server.security import allowed
from pipeline.serving.server.signatures import Signatures
from pipeline.serving.server.versions import version_number

TARGET = r"^/v1/models/(?P<name>[^/:]+)(?:/(?:versions/(?P<version>[0-9]+)|labels/(?P<label>[^/:]+)))?"
ASK = re.compile(TARGET + r":(?P<verb>predict|classify|regress)\Z", re.IGNORECASE)
LOOK = re.compile(TARGET + r"(?P<metadata>/metadata)?\Z", re.IGNORECASE)
METRICS = "/monitoring/prometheus/metrics"
OPEN = ("/healthz", "/readyz", *NO_SECRETS)  # without a token: Kubernetes' probes have none
REGISTRY: web.AppKey[Registry] = web.AppKey("registry", Registry)
STOPPING: web.AppKey[list[bool]] = web.AppKey("stopping", list)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AccessLog(AbstractAccessLogger):
    """One line a request: who, what, status, bytes, milliseconds. Never a body, a query or a header."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """See aiohttp."""
        size, status = response.body_length, response.status
        self.logger.info(
            "%s %s %s %d %d B %.1f ms", request.remote, request.method, request.path, status, size, time * 1e3
        )


def make_app(registry: Registry) -> web.Application:
    """Builds the application; `app[STOPPING]` makes it unready."""
    app = web.Application(middlewares=[_answer_errors], client_max_size=registry.settings.limits.body_bytes)
    app[REGISTRY], app[STOPPING] = registry, []
    app.router.add_get("/healthz", _health)
    app.router.add_get("/readyz", _ready)
    app.router.add_get(METRICS, _metrics)
    explainer = Explainer()
    app.router.add_routes(page_routes(registry, explainer, read_body))
    app.on_cleanup.append(_closing(explainer))
    app.router.add_route("*", r"/{path:[\s\S]*}", _dispatch)  # a dot would leave out line breaks
    return app


def _closing(explainer: Explainer) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_app: web.Application) -> None:
        explainer.close()

    return close


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        registry = request.app[REGISTRY]
        if request.path not in OPEN and not allowed(request.headers.get("Authorization", ""), registry.settings.token):
            raise ServingError("UNAUTHENTICATED", "expected the server's token: Authorization: Bearer TOKEN")
        return await handler(request)
    except ServingError as error:
        headers = {"WWW-Authenticate": "Bearer"} if error.code == "UNAUTHENTICATED" else {}
        headers |= {"Retry-After": "1"} if error.http_status == 429 else {}
        return _json(rest_json.error(str(error)), error.http_status, headers)
    except web.HTTPException:
        raise
    except Exception:  # the outermost frame of a request: the client learns no more than that
        logging.getLogger("effnet.serve").exception("%s %s failed", request.method, request.path)
        return _json(rest_json.error(INTERNAL_ERROR), 500)


async def _dispatch(request: web.Request) -> web.Response:
    path = request.path
    if request.method == "POST" and (asked := ASK.match(path)):
        with request.app[REGISTRY].counted(asked["name"]):
            return await _ask(request, asked)
    if request.method == "GET" and path.rstrip("/").lower() == "/v1/models":
        raise invalid("Missing model name in request.")
    if request.method == "GET" and (looked := LOOK.match(path)):
        return _metadata(request, looked) if looked["metadata"] else _status(request, looked)
    raise invalid(f"Malformed request: {request.method} {path}")


async def _ask(request: web.Request, asked: re.Match[str]) -> web.Response:
    body, verb = await read_body(request), asked["verb"].lower()
    if verb == "regress":
        raise invalid("Expected regression signature method_name: this model classifies; use :predict or :classify")
    if verb == "classify":
        signature, images = rest_json.parse_examples(body)
        answer = await _answer(request, asked, signature, lambda _: images)
        return _json(rest_json.classifications(answer.outputs, answer.classes))
    predict = rest_json.parse_predict(body)
    answer = await _answer(request, asked, predict.signature, predict.images)
    return _json(rest_json.predictions(answer.outputs, predict.by_row))


async def read_body(request: web.Request) -> bytes:
    """Reads a body; one that is too large or takes too long does not hold the connection for ever.

    Raises:
        ServingError: the request is to be refused.
    """
    limits = request.app[REGISTRY].settings.limits
    try:
        async with asyncio.timeout(limits.timeout):
            return await request.read()
    except TimeoutError as error:
        raise ServingError("DEADLINE_EXCEEDED", f"the request did not arrive within {limits.timeout:g} s") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLarge(limits.body_bytes) from error


async def _answer(
    request: web.Request, asked: re.Match[str], signature: str, read_images: Callable[[Signatures], Sequence[bytes]]
) -> Answer:
    registry = request.app[REGISTRY]
    return await registry.ask(asked["name"], _number(asked), asked["label"] or "", signature, read_images)


def _number(path: re.Match[str]) -> int | None:
    return version_number(path["version"]) if path["version"] else None


def _status(request: web.Request, looked: re.Match[str]) -> web.Response:
    versions = request.app[REGISTRY].versions(looked["name"], _number(looked), looked["label"] or "")
    status = [
        {
            "version": str(version.number),
            "state": version.state,
            "status": {"error_code": "UNKNOWN" if version.error else "OK", "error_message": version.error},
        }
        for version in versions
    ]
    return _json(orjson.dumps({"model_version_status": status}, option=orjson.OPT_INDENT_2))


def _metadata(request: web.Request, looked: re.Match[str]) -> web.Response:
    _, version = request.app[REGISTRY].find(looked["name"], _number(looked), looked["label"] or "")
    if version.signatures is None:
        raise AssertionError(f"version {version.number} has no signatures")
    content = {
        "model_spec": {"name": looked["name"], "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": version.signatures.as_json()},
    }
    return _json(orjson.dumps(content, option=orjson.OPT_INDENT_2))


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _ready(request: web.Request) -> web.Response:
    if request.app[STOPPING]:
        return web.Response(text="stopping\n", status=503)
    if not request.app[REGISTRY].ready:
        return web.Response(text="a model has no version that is loaded\n", status=503)
    return web.Response(text="ready\n")


async def _metrics(request: web.Request) -> web.Response:
    text = request.app[REGISTRY].metrics.as_text()
    return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
