"""The page at /, to try a model. It loads nothing from elsewhere, and what it shows is text."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
from aiohttp import web

from components.common import files
from components.image_example_gen.images.damage import ImageError
from pipeline.serving.server.errors import broken_image, invalid
from pipeline.serving.server.explain import Explainer
from pipeline.serving.server.inference import Registry
from pipeline.serving.server.versions import ServedModel

FOLDER = Path(__file__).with_name("page_files")
FILES = {
    "/": ("index.html", "text/html"),
    "/ui/page.js": ("page.js", "text/javascript"),
    "/ui/page.css": ("page.css", "text/css"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
NO_SECRETS = tuple(FILES)  # served without a token: the page itself asks for it


def page_routes(registry: Registry, explainer: Explainer) -> list[web.RouteDef]:
    """The routes of the page."""
    explain = _make_explain(registry, explainer)

    async def models(_request: web.Request) -> web.Response:
        content = {"models": [_describe(model) for model in registry.models.values()]}
        return web.Response(body=orjson.dumps(content), content_type="application/json")

    return [
        *(web.get(path, _make_file(name, kind)) for path, (name, kind) in FILES.items()),
        web.get("/ui/models", models),
        web.post("/ui/explain/{name}", explain),
        web.post("/ui/explain/{name}/versions/{version}", explain),
    ]


def _make_file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    content = (FOLDER / name).read_text(encoding="utf-8")

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=content, content_type=kind, headers=HEADERS)

    return answer


def _make_explain(registry: Registry, explainer: Explainer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def explain(request: web.Request) -> web.Response:
        number = request.match_info.get("version", "")
        if number and not number.isdecimal():
            raise invalid(f"got version {number}, expected a number")
        model, version = registry.find(request.match_info["name"], int(number) if number else None)
        label = request.query.get("class", "")
        data = await request.read()
        async with model.using(version) as (engine, _):
            if not label.isdecimal() or int(label) >= len(engine.classes):
                raise invalid(f"got class {label}, expected 0 to {len(engine.classes) - 1}")
            try:
                pixels = await asyncio.to_thread(engine.pixels, data)
            except ImageError as error:
                raise broken_image(0, error) from error
            path = files.join(model.folder.path, version.name)
            picture = await explainer.picture(path, pixels, int(label))
        return web.Response(body=orjson.dumps({"picture": picture}), content_type="application/json")

    return explain


def _describe(model: ServedModel) -> dict[str, object]:
    newest = model.newest
    versions = [
        {
            "version": str(version.number),
            "state": version.state,
            "error": version.error,
            "engine": version.engine.name if version.engine else "",
            "classes": version.engine.classes if version.engine else (),
        }
        for version in sorted(model.versions.values(), key=lambda version: -version.number)
    ]
    classes = newest.engine.classes if newest and newest.engine else ()
    return {"name": model.name, "versions": versions, "classes": classes, "card": newest.card if newest else ""}
