"""The Hugging Face conventions, with the real client against a small Hub on this machine."""

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import segnext
from segnext.checkpoint.card import model_card
from segnext.checkpoint.hub import save_folder
from segnext.checkpoint.provenance import Provenance
from segnext.checkpoint.weights import Weights
from segnext.errors import SegNextError
from segnext.inference.runtime import Runtime
from segnext.inference.segmenter import Segmenter
from segnext.inference.testing import Testing
from segnext.labels import Labels
from segnext.model.config import ModelConfig
from segnext.model.families import build
from segnext.model.network import Network
from segnext.preprocess import Preprocess

FILES = ["README.md", "config.json", "model.safetensors", "preprocessor_config.json"]
CONFIG = ModelConfig((8, 16, 24, 32), (1, 1, 1, 1), 32, rank=4, num_classes=2, expansions=(2, 2, 2, 2))
LABELS = Labels("toy", ("sky", "road"), ((10, 20, 250), (100, 60, 100)))
METRICS = {"split": "val", "miou": 0.66123, "iou": {"sky": 0.9, "road": None}}
PROVENANCE = Provenance(metrics=METRICS, recipe={"crop": (64, 64)})
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "someone/streets"


@pytest.fixture(scope="module")
def weights() -> Weights:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build(CONFIG).state_dict()
    return Weights(CONFIG, LABELS, Preprocess(short_side=64), state, PROVENANCE)


def front_matter(card: str) -> dict[str, Any]:
    _, front, _ = card.split("---\n", 2)
    content: dict[str, Any] = yaml.safe_load(front)
    return content


def same(segmenter: Segmenter, weights: Weights) -> bool:
    state = segmenter.model.state_dict()
    return state.keys() == weights.state.keys() and all(torch.equal(state[n], x) for n, x in weights.state.items())


def test_a_folder_there_and_back(weights: Weights, tmp_path: Path) -> None:
    Segmenter(weights, Runtime("torch", "cpu")).save_pretrained(tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    config = json.loads((folder / "config.json").read_text())
    assert config["model"]["depths"] == [1, 1, 1, 1]
    assert config["id2label"] == {"0": "sky", "1": "road"}
    (folder / "config.json").unlink()  # the header of model.safetensors is enough
    for loaded in (segnext.load(folder, "cpu", engine="torch"), Segmenter.from_pretrained(folder, device="cpu")):
        assert same(loaded, weights)
        assert (loaded.labels, loaded.preprocess) == (LABELS, Preprocess(short_side=64))
        assert loaded.provenance.metrics == METRICS
    options: dict[str, Any] = {"engine": "torch", "precision": "fp32", "testing": Testing(flip=True)}
    loaded = Segmenter.from_pretrained(folder, device="cpu", **options)
    assert (loaded.engine.name, loaded.engine.precision, loaded.testing) == tuple(options.values())


def test_a_folder_that_cannot_be_written(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegNextError, match=r"file/folder: cannot be written"):
        save_folder(weights, tmp_path / "file" / "folder")


def test_card_of_a_trained_model(weights: Weights) -> None:
    card = model_card(weights, licence="MIT")
    assert front_matter(card) == {
        "library_name": "segnext",
        "pipeline_tag": "image-segmentation",
        "license": "mit",
        "tags": ["semantic-segmentation", "segnext"],
        "metrics": ["mean_iou"],
        "model-index": [
            {
                "name": "SegNeXt, toy",
                "results": [
                    {
                        "task": {"type": "image-segmentation"},
                        "dataset": {"name": "toy", "type": "toy", "split": "val"},
                        "metrics": [{"type": "mean_iou", "value": 0.6612, "name": "mIoU, single scale"}],
                    }
                ],
            }
        ],
    }
    assert "mIoU 66.12 % on toy val, single scale.\n" in card
    assert "| sky | 90.00 |\n| road | - |" in card
    assert "crop:" in card
    assert "Classes\n\nsky, road" in card


def test_card_of_converted_and_of_unknown_weights(weights: Weights) -> None:
    origin = Provenance(url="https://a/b.pth", licence="Apache-2.0", licence_note="Ask.", published={"miou": 0.5})
    card = model_card(Weights(CONFIG, LABELS, Preprocess(), weights.state, origin))
    assert front_matter(card)["license"] == "apache-2.0"
    assert "> Ask.\n" in card
    assert "mIoU 50.00 % on toy val, single scale, as published; not measured again." in card
    front = front_matter(model_card(Weights(CONFIG, LABELS, Preprocess(), weights.state)))
    assert set(front) == {"library_name", "pipeline_tag", "tags"}


def test_without_the_client(weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SegNextError, match=r"no file or folder 'someone/streets'; .* pip install 'segnext\[hub\]'"):
        segnext.load(REPOSITORY)
    with pytest.raises(SegNextError, match=r"to upload .* pip install 'segnext\[hub\]'"):
        Segmenter(weights, Runtime("torch", "cpu")).push_to_hub(REPOSITORY)


@dataclass
class Hub:
    """What the small Hub holds: the files of one repository by name, and large uploads by their SHA-256."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    requests: int = 0


class Handler(BaseHTTPRequestHandler):
    """The few routes of the Hub that downloading and uploading need."""

    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests += 1
        path = self.path.partition("?")[0]
        resolved = re.fullmatch(rf"/{REPOSITORY}/resolve/(main|{COMMIT})/(.+)", path)
        files = self.hub.files
        if files and re.fullmatch(rf"/api/models/{REPOSITORY}(/revision/(main|{COMMIT}))?", path):
            siblings = [{"rfilename": name} for name in files]
            self.reply({"id": REPOSITORY, "modelId": REPOSITORY, "sha": COMMIT, "siblings": siblings})
        elif files and path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            tree = [{"type": "file", "path": n, "size": len(x), "oid": tag(x)} for n, x in files.items()]
            self.reply(tree)
        elif resolved and resolved[2] in files:
            content = files[resolved[2]]
            self.reply(content, X_Repo_Commit=COMMIT, ETag=f'"{tag(content)}"')
        elif files and REPOSITORY in path:
            self.reply({"error": "nothing there"}, 404, X_Error_Code="RevisionNotFound")
        else:
            self.reply({"error": "no such repository"}, 404, X_Error_Code="RepoNotFound")

    def do_POST(self) -> None:
        hub = self.hub
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        hub.tokens.add(self.headers["Authorization"])
        if self.headers["Authorization"] == "Bearer wrong":
            self.reply({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/repos/create":
            hub.created.append(json.loads(body))
            self.reply({"url": f"{hub.address}/{REPOSITORY}"})
        elif self.path.startswith(f"/api/models/{REPOSITORY}/preupload/"):
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = {name: "lfs" if name.endswith(".safetensors") else "regular" for name in names}
            self.reply({"files": [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]})
        elif self.path == f"/{REPOSITORY}.git/info/lfs/objects/batch":
            objects = [
                {**wanted, "actions": {"upload": {"href": f"{hub.address}/upload/{wanted['oid']}"}}}
                for wanted in json.loads(body)["objects"]
            ]
            self.reply({"transfer": "basic", "objects": objects}, Content_Type="application/vnd.git-lfs+json")
        elif self.path.startswith(f"/api/models/{REPOSITORY}/commit/"):
            for line in map(json.loads, body.decode().splitlines()):
                self.commit(line["key"], line["value"])
            self.reply({"commitUrl": f"{hub.address}/{REPOSITORY}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self.reply({})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.hub.large[self.path.rpartition("/")[2]] = body
        self.reply({})

    def commit(self, key: str, value: dict[str, Any]) -> None:
        if key == "header":
            self.hub.messages.append(value["summary"])
        elif key == "file":
            self.hub.files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            self.hub.files[value["path"]] = self.hub.large[value["oid"]]


def tag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGNEXT_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Hub()
    web = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Handler,), {"hub": found}))
    thread = threading.Thread(target=web.serve_forever, args=(0.01,))
    thread.start()
    found.address = f"http://127.0.0.1:{web.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", found.address)  # as HF_ENDPOINT sets it when it is imported
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # a protocol of its own, with its own servers
    yield found
    web.shutdown()
    thread.join()
    web.server_close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client, about its own HTTP library
def test_upload_and_download(hub: Hub, weights: Weights) -> None:
    address = Segmenter(weights, Runtime("torch", "cpu")).push_to_hub(
        REPOSITORY, commit_message="first", private=True, token="mine", licence="mit"
    )
    assert address == f"{hub.address}/{REPOSITORY}"
    assert hub.created[0]["name"] == "streets"
    assert hub.tokens == {"Bearer mine"}
    assert hub.messages == ["first"]
    assert sorted(hub.files) == FILES
    assert front_matter(hub.files["README.md"].decode())["license"] == "mit"
    assert len(hub.large) == 1

    assert same(segnext.load(REPOSITORY, "cpu", engine="torch"), weights)
    assert same(Segmenter.from_pretrained(REPOSITORY, revision=COMMIT, device="cpu", engine="torch"), weights)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # see above
def test_a_module_goes_up_and_comes_down(hub: Hub, weights: Weights) -> None:
    model = weights.model()
    address = model.push_to_hub(REPOSITORY, commit_message="mine", token="mine", metrics={"miou": 0.25})
    assert (address, hub.messages) == (f"{hub.address}/{REPOSITORY}", ["mine"])
    assert "mIoU 25.00 % on toy val" in hub.files["README.md"].decode()
    for options in ({}, {"revision": COMMIT}, {"revision": "main", "local_files_only": True}):
        found = Network.from_pretrained(REPOSITORY, **options).state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())
    with pytest.raises(SegNextError, match=r"no .* of that name at v7 that you may read"):
        Network.from_pretrained(REPOSITORY, revision="v7")
    with pytest.raises(SegNextError, match=r"Hugging Face repository 'no/where'|no file or folder 'no/where'"):
        Network.from_pretrained("no/where", local_files_only=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # see above
def test_offline_takes_what_was_downloaded(hub: Hub, weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNEXT_OFFLINE", "1")
    with pytest.raises(SegNextError, match="the Hugging Face repository of that name could not be read"):
        segnext.load(REPOSITORY)
    assert hub.requests == 0
    monkeypatch.delenv("SEGNEXT_OFFLINE")
    Segmenter(weights, Runtime("torch", "cpu")).push_to_hub(REPOSITORY, token="mine")
    segnext.load(REPOSITORY, "cpu", engine="torch")
    before = hub.requests
    assert same(Segmenter.from_pretrained(REPOSITORY, local_files_only=True, device="cpu", engine="torch"), weights)
    monkeypatch.setenv("SEGNEXT_OFFLINE", "1")
    assert same(segnext.load(REPOSITORY, "cpu", engine="torch"), weights)
    assert hub.requests == before


def test_what_is_not_there(hub: Hub, weights: Weights) -> None:
    with pytest.raises(SegNextError, match=r"no file or folder 'someone/streets', and no .* of that name that you may"):
        segnext.load(REPOSITORY)
    hub.files["config.json"] = b"{}"
    with pytest.raises(SegNextError, match=r"repository 'someone/streets': holds no model\.safetensors"):
        segnext.load(REPOSITORY)
    with pytest.raises(SegNextError, match=r"no .* of that name at v7 that you may read"):
        Segmenter.from_pretrained(REPOSITORY, revision="v7")


def test_foreign_weights(hub: Hub) -> None:
    hub.files["model.safetensors"] = b"not safetensors"
    with pytest.raises(SegNextError, match="not a readable safetensors file"):
        segnext.load(REPOSITORY)


def test_refused_upload(hub: Hub, weights: Weights) -> None:
    with pytest.raises(SegNextError, match=r"'someone/streets': could not be written \(.*401.*give a token") as error:
        Segmenter(weights, Runtime("torch", "cpu")).push_to_hub(REPOSITORY, token="wrong")
    assert "\n" not in str(error.value)


def test_the_hub_reads_the_card(weights: Weights) -> None:
    client: Callable[..., Any] = pytest.importorskip("huggingface_hub").ModelCard
    data = client(model_card(weights, licence="MIT")).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("segnext", "image-segmentation", "mit")
    assert data.eval_results[0].metric_value == 0.6612
    assert data.eval_results[0].dataset_name == "toy"
