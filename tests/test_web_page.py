"""The page in examples/web, in Chromium: its mask is that of `segnext predict`."""

import base64
import contextlib
import functools
import http.server
import io
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from segnext.checkpoint.find import weights_path
from segnext.checkpoint.weights import load_weights
from segnext.export.deployed import Deployed, Interface, metadata
from segnext.export.formats import KINDS
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "examples" / "web"
LIBRARY = "node_modules/onnxruntime-web/dist"
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1100,620"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = pytest.mark.long


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with the packaged weights beside it."""
    if not (PAGE / LIBRARY).is_dir():
        pytest.skip("onnxruntime-web is not there; run npm install in examples/web")
    folder = tmp_path_factory.mktemp("web")
    for file in ("index.html", "page.css", "segment.js"):
        shutil.copy(PAGE / file, folder)
    (folder / LIBRARY).parent.mkdir(parents=True)
    (folder / LIBRARY).symlink_to(PAGE / LIBRARY)
    weights, interface = load_weights(weights_path("segnext_t.camvid")), Interface("uint8", "labels")
    about = metadata(weights, interface, "fp32")
    KINDS["onnx"].write(Deployed(weights, interface), folder / "model.onnx", "fp32", about)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


Call = Callable[..., Any]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Calls of the WebDriver protocol (W3C): a path and its content."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def call(path: str, **content: Any) -> Any:
        body = json.dumps(content).encode() if content or path.count("/") == 1 else None
        request = urllib.request.Request(f"http://localhost:{port}{path}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["value"]

    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                call("/status?")
                break
            time.sleep(0.3)
        options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]}
        patience = {"script": 300_000, "pageLoad": 300_000}  # milliseconds; the network runs in the page's own thread
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "timeouts": patience}}
        session = f"/session/{call('/session', capabilities=wanted)['sessionId']}"
        yield lambda path, **content: call(session + path, **content)
    finally:
        process.terminate()
        process.wait()


def run(browser: Call, script: str) -> Any:
    return browser("/execute/sync", script=script, args=[])


def wait_for(browser: Call, words: str) -> str:
    """The page's status once it says so."""
    said = ""
    for _ in range(600):
        said = str(run(browser, "return document.getElementById('status').textContent"))
        if words in said:
            return said
        assert run(browser, "return document.querySelector('#status.error')") is None, said
        time.sleep(0.5)
    raise AssertionError(said)


def choose(browser: Call, file: Path) -> None:
    element = browser("/element", using="css selector", value="#picture")
    browser(f"/element/{next(iter(element.values()))}/value", text=str(file))


def test_the_page_says_what_predict_says(address: str, browser: Call, tmp_path: Path) -> None:
    browser("/url", url=address)
    wait_for(browser, "drop a picture")
    choose(browser, ROOT / "docs" / "street.png")
    wait_for(browser, "street.png: 480 x 360 pixels")
    result = Segmenter(load_weights(weights_path("segnext_t.camvid")), Runtime("torch", "cpu", "fp32"))(
        ROOT / "docs" / "street.png"
    )
    data = run(browser, "return document.getElementById('mask').toDataURL('image/png')")
    painted = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB"))
    expected = np.array(result.labels.colors, np.uint8)[result.mask]
    assert (painted == expected).all(2).mean() >= 0.999
    rows = run(browser, "return [...document.querySelectorAll('#shares tr')].map((row) => row.innerText.split('\\t'))")
    shares = {name: float(text.removesuffix(" %")) / 100 for _, name, text in rows}
    assert shares == pytest.approx(result.shares, abs=0.0011)
    loaded = run(browser, "return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith((address, "data:", "blob:")) for name in loaded), "nothing comes from elsewhere"
    (tmp_path / "page.png").write_bytes(base64.b64decode(browser("/screenshot")))
    print(f"screenshot: {tmp_path / 'page.png'}")
    with PIL.Image.open(tmp_path / "page.png") as page:
        assert len(np.unique(np.asarray(page.convert("RGB")).reshape(-1, 3), axis=0)) > 1000


def test_what_is_no_picture_is_said(address: str, browser: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    browser("/url", url=address)
    wait_for(browser, "drop a picture")
    choose(browser, tmp_path / "notes.txt")
    for _ in range(100):
        said = run(browser, "return document.querySelector('#status.error')?.textContent")
        if said:
            break
        time.sleep(0.2)
    assert said == "notes.txt is no picture that the browser can read; give a JPEG, PNG or WebP"
