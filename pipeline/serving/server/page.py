"""The page at /, to try a model. It loads nothing from elsewhere, and what it shows is text.

It asks for answers with the class names and the version that gave them: after a new push those of the page's first look
may be another model's.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
from aiohttp import web

from components.image_example_gen.images.damage import ImageError
from pipeline.serving.server.errors import broken_image, invalid
from pipeline.serving.server.explain import Explainer
from pipeline.serving.server.inference import Registry
from pipeline.serving.server.versions import ServedModel, Version, version_number

FOLDER = Path(__file__).with_name("page_files")
FILES = {
    "/": ("index.html", "text/html"),
    "/ui/page.js": ("page.js", "text/javascript"),
    "/ui/page.css": ("page.css", "text/css"),
}
JSON = "application/json"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
NO_SECRETS = tuple(FILES)  # served without a token: the page itself asks for it
CLASS_NUMBER = r"[0-9]{1,9}"
Handler = Callable[[web.Request], Awaitable[web.Response]]
ReadBody = Callable[[web.Request], Awaitable[bytes]]


def page_routes(registry: Registry, explainer: Explainer, read_body: ReadBody) -> list[web.RouteDef]:
    """Returns the routes of the page; `read_body` reads a request within the server's limits."""
    classify, explain = _make_classify(registry, read_body), _make_explain(registry, explainer, read_body)

    async def models(_request: web.Request) -> web.Response:
        content = {"models": [_describe(model) for model in registry.models.values()]}
        return web.Response(body=orjson.dumps(content), content_type=JSON)

    return [
        *(web.get(path, _make_file(name, kind)) for path, (name, kind) in FILES.items()),
        web.get("/ui/models", models),
        web.post("/ui/classify/{name}", classify),
        web.post("/ui/classify/{name}/versions/{version}", classify),
        web.post("/ui/explain/{name}/versions/{version}", explain),
    ]


def _make_file(name: str, kind: str) -> Handler:
    content = (FOLDER / name).read_text(encoding="utf-8")

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=content, content_type=kind, headers=HEADERS)

    return answer


def _make_classify(registry: Registry, read_body: ReadBody) -> Handler:
    async def classify(request: web.Request) -> web.Response:
        name, number = request.match_info["name"], request.match_info.get("version")
        with registry.counted(name):
            image = await read_body(request)
            answer = await registry.ask(name, version_number(number) if number else None, "", "", lambda _: [image])
        known = answer.outputs.get("known")
        content = {
            "version": str(answer.version),
            "classes": answer.classes,
            "probabilities": answer.outputs["probabilities"][0],
            "known": None if known is None else bool(known[0]),
        }
        return web.Response(body=orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), content_type=JSON)

    return classify


def _make_explain(registry: Registry, explainer: Explainer, read_body: ReadBody) -> Handler:
    async def explain(request: web.Request) -> web.Response:
        image = await read_body(request)
        model, version = _find(registry, request)
        label = request.query.get("class", "")
        async with model.using(version) as (engine, _):
            if not re.fullmatch(CLASS_NUMBER, label) or int(label) >= len(engine.classes):
                raise invalid(f"got class {label[:40]}, expected 0 to {len(engine.classes) - 1}")
            try:
                pixels = await asyncio.to_thread(engine.pixels, image)
            except ImageError as error:
                raise broken_image(0, error) from error
            picture = await explainer.picture(model.path_of(version), pixels, int(label))
        return web.Response(body=orjson.dumps({"picture": picture}), content_type=JSON)

    return explain


def _find(registry: Registry, request: web.Request) -> tuple[ServedModel, Version]:
    return registry.find(request.match_info["name"], version_number(request.match_info["version"]))


def _describe(model: ServedModel) -> dict[str, object]:
    newest = model.newest
    versions = [
        {
            "version": str(version.number),
            "state": version.state,
            "error": version.error,
            "engine": version.engine.name if version.engine else "",
        }
        for version in model.newest_first()
    ]
    classes = len(newest.engine.classes) if newest and newest.engine else 0
    return {"name": model.name, "versions": versions, "classes": classes, "card": newest.card if newest else ""}
