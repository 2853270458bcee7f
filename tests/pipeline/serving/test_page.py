"""The page at /, in Debian's Chromium: a turned photo of a phone, the keyboard, dark mode; and what it may load."""

import asyncio
import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from pipeline.serving.server.page import FILES, FOLDER
from tests.browser import CHROMIUM, needs_chromium
from tests.onnx_model import image, write_version
from tests.pipeline.serving.conftest import Running, running, settings_for


def test_the_page_and_its_parts_load_nothing_from_elsewhere(colours):
    for path, (name, _) in FILES.items():
        with urllib.request.urlopen(colours.url + path) as response:
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert response.read().decode() == (FOLDER / name).read_text()
        assert "http://" not in (FOLDER / name).read_text()
        assert "https://" not in (FOLDER / name).read_text()


def test_what_the_page_shows_of_the_models(colours):
    (model,) = colours.send("/ui/models")[1]["models"]
    assert [version["version"] for version in model["versions"]] == ["123", "122"]
    assert model["versions"][0]["engine"] == "onnxruntime"
    assert model["classes"] == 3
    assert "# Colours" in model["card"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/ui/explain/colours/versions/123?class=9", b"", "expected 0 to 2"),
        ("/ui/explain/colours/versions/123?class=" + "1" * 5000, b"", "expected 0 to 2"),
        ("/ui/explain/colours/versions/123?class=1", b"no image", "not_an_image"),
        ("/ui/explain/none/versions/1?class=1", b"", "Servable not found"),
        ("/ui/explain/colours/versions/x?class=1", b"", "expected a whole number"),
        ("/ui/classify/colours/versions/" + "9" * 5000, b"", "expected a whole number"),
        ("/ui/classify/colours", b"no image", "not_an_image"),
    ],
)
def test_what_the_page_cannot_ask_for_is_refused(colours, path, body, message):
    status, answer = colours.send(path, body, method="POST")
    assert status in (400, 404)
    assert message in answer["error"]


def test_with_a_token_the_page_loads_and_everything_else_is_refused(tmp_path):
    write_version(tmp_path, 1)
    with running(settings_for(tmp_path, token="secret")) as server:
        assert server.send("/")[0] == 200
        assert server.send("/readyz")[0] == 200
        for path in ("/ui/models", "/v1/models/colours", "/monitoring/prometheus/metrics"):
            assert server.send(path)[0] == 401
            assert server.send(path, headers={"Authorization": "Bearer wrong"})[0] == 401
            assert server.send(path, headers={"Authorization": "Bearer secret"})[0] == 200


def test_the_page_s_answer_is_of_one_version_names_and_all(tmp_path):
    write_version(tmp_path, 1, known=0.9)
    with running(settings_for(tmp_path)) as server:
        answer = server.send("/ui/classify/colours", image("gray"))[1]
        assert (answer["version"], answer["classes"], answer["known"]) == ("1", ["red", "green", "blue"], False)
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-6)
        assert server.send("/ui/classify/colours/versions/1", image("blue"))[1]["known"] is True
        assert server.send("/ui/classify/colours/versions/2", image("blue"))[0] == 404


class Browser:
    """Chromium's page, over the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self._socket, self._number = socket, 0
        self.events: list[dict[str, Any]] = []

    async def send(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    async def run(self, script: str) -> Any:
        done = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return done["result"].get("value")

    async def wait_for(self, script: str) -> None:
        until = time.monotonic() + 30
        while not await self.run(script):
            assert time.monotonic() < until, f"it did not come about: {script}"
            await asyncio.sleep(0.1)

    async def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    async def choose(self, path: Path) -> None:
        document = await self.send("DOM.getDocument")
        found = await self.send("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="#file")
        await self.send("DOM.setFileInputFiles", files=[str(path)], nodeId=found["nodeId"])


async def browse(server: Running, folder: Path, use) -> list[dict[str, Any]]:
    """Open the page in Chromium, and `use(browser)` it; returns what happened."""
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    process = await asyncio.create_subprocess_exec(
        *command, f"--user-data-dir={folder}", "about:blank", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        port_file, until = folder / "DevToolsActivePort", time.monotonic() + 60
        while not port_file.exists():
            assert time.monotonic() < until
            await asyncio.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as response:
                tab = next(one for one in await response.json() if one["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                browser = Browser(socket)
                for domain in ("Page", "Runtime", "Network", "DOM"):
                    await browser.send(f"{domain}.enable")
                await browser.send("Page.navigate", url=server.url)
                await browser.wait_for("state.models.length > 0")
                await use(browser)
                return browser.events
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.slow
@needs_chromium
def test_after_a_new_push_the_page_shows_its_names_and_what_it_does_not_know(tmp_path):
    write_version(tmp_path / "served", 1)
    (tmp_path / "orange.png").write_bytes(image("orange"))
    with running(settings_for(tmp_path / "served")) as server:

        async def use(browser: Browser) -> None:
            await browser.choose(tmp_path / "orange.png")
            await browser.wait_for("byId('answer').textContent.startsWith('red')")
            write_version(tmp_path / "served", 2, ("rouge", "vert", "bleu", "<b>jaune"), known=0.999)
            await browser.wait_for(
                "fetch('/v1/models/colours/versions/2').then((answer) => answer.json())"
                ".then((status) => status.model_version_status?.[0].state === 'AVAILABLE')"
            )
            await browser.choose(tmp_path / "orange.png")
            await browser.wait_for("byId('by').textContent === 'Answered by version 2.'")
            assert (await browser.run("byId('answer').textContent")).startswith("Not known; closest: rouge, ")
            names = await browser.run("[...document.querySelectorAll('#bars th')].map((name) => name.textContent)")
            assert set(names) == {"rouge", "vert", "bleu", "<b>jaune"}
            await browser.wait_for("byId('served').textContent.startsWith('Version 2, 4 classes')")

        asyncio.run(browse(server, tmp_path / "profile", use))


@pytest.mark.slow
@needs_chromium
def test_a_turned_photo_the_keyboard_and_dark_mode(colours, tmp_path):
    # Red above blue as it is seen; the camera was held upright and says so in EXIF.
    seen = Image.new("RGB", (40, 60), "blue")
    seen.paste("red", (0, 0, 40, 45))
    exif = Image.Exif()
    exif[0x0112] = 6
    seen.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    (tmp_path / "broken.png").write_bytes(image()[:60])

    async def use(browser: Browser) -> None:
        await browser.choose(tmp_path / "turned.jpg")
        await browser.wait_for("!byId('result').hidden && byId('photo').complete")
        assert (await browser.run("byId('answer').textContent")).startswith("red")
        assert await browser.run("[byId('photo').naturalWidth, byId('photo').naturalHeight]") == [40, 60]
        assert await browser.run("document.activeElement.id") == "answer"
        widths = await browser.run("[...document.querySelectorAll('.bar > span')].map((bar) => bar.offsetWidth)")
        assert widths == sorted(widths, reverse=True)
        assert widths[0] > 2 * widths[-1]
        light = await browser.run("getComputedStyle(document.body).backgroundColor")
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        await browser.send("Emulation.setEmulatedMedia", features=dark)
        assert await browser.run("getComputedStyle(document.body).backgroundColor") != light
        await browser.press("Tab", 9)
        assert await browser.run("document.activeElement.id") == "explain"
        await browser.run("byId('version').value = '122'; byId('version').dispatchEvent(new Event('change'))")
        await browser.wait_for("byId('answer').textContent.startsWith('rot')")
        await browser.choose(tmp_path / "broken.png")
        await browser.wait_for("byId('message').classList.contains('wrong')")
        assert "truncated" in await browser.run("byId('message').textContent")

    events = asyncio.run(browse(colours, tmp_path / "profile", use))
    assert not [event for event in events if event["method"] == "Runtime.exceptionThrown"]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith((colours.url, "blob:", "data:")) for url in asked)
