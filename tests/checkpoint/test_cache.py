"""Published weights by name, from a server on this machine."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import segnext
from segnext.checkpoint import catalogue, download
from segnext.checkpoint import weights as weights_module
from segnext.checkpoint.cache import published_file
from segnext.checkpoint.catalogue import LICENCE_NOTE, PUBLISHED, Published
from segnext.checkpoint.checkpoint import read_checkpoint
from segnext.checkpoint.download import digest
from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.data.known import known_labels
from segnext.errors import SegNextError
from segnext.model.config import ModelConfig

pytest_plugins = ["official_files"]

CITY, ENCODER = "segnext_t.cityscapes", "mscan_t.imagenet"


@pytest.fixture
def published(
    server: Any, layouts: Any, tiny: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Published]:
    """The names stand for tiny files on the server; of one the hash is known. The cache is empty."""
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEGNEXT_OFFLINE", raising=False)
    monkeypatch.delenv("SEGNEXT_MIRRORS", raising=False)
    known = {CITY: ("the authors' layout", False), ENCODER: ("OpenMMLab's layout, encoder only", True)}
    for name, (layout, hashed) in known.items():
        entry = PUBLISHED[name]
        torch.save({"state_dict": layouts[layout]}, tmp_path / entry.file)
        content = (tmp_path / entry.file).read_bytes()
        server.files[f"/{entry.file}"] = content
        sha256 = hashlib.sha256(content).hexdigest()[:8] if hashed else ""
        url = f"{server.address}/{entry.file}"
        monkeypatch.setitem(catalogue.PUBLISHED, name, replace(entry, url=url, sha256=sha256))
    return dict(PUBLISHED)


def test_catalogue_is_the_published_one() -> None:
    assert len([entry for entry in PUBLISHED.values() if not entry.ours]) == 16
    assert {name for size in "tsbl" for name in (f"segnext_{size}.ade20k", f"segnext_{size}.cityscapes")} < set(
        PUBLISHED
    )
    assert PUBLISHED["mscan_b.imagenet"].url == (
        "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segnext/mscan_b_20230227-3ab7d230.pth"
    )
    assert PUBLISHED["segnext_l.ade20k"].url == (
        "https://download.openmmlab.com/mmsegmentation/v0.5/segnext/segnext_mscan-l_1x16_512x512_adamw_160k_ade20k/"
        "segnext_mscan-l_1x16_512x512_adamw_160k_ade20k_20230209_172055-19b14b63.pth"
    )
    assert PUBLISHED["segnext_s.cityscapes"].url == "https://cloud.tsinghua.edu.cn/f/14148cf5371a4f248db1/?dl=1"
    assert [entry.sha256 for entry in PUBLISHED.values() if entry.url.startswith("https://cloud")] == [""] * 8


def test_loads_by_name_and_asks_the_network_once(
    published: Any, server: Any, ours: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segmenter = segnext.load(CITY, "cpu", engine="torch")
    assert segmenter.labels == known_labels("cityscapes")
    assert all(torch.equal(x, ours[name]) for name, x in segmenter.model.state_dict().items())
    entry = published[CITY]
    sha256 = hashlib.sha256(server.files[f"/{entry.file}"]).hexdigest()
    assert segmenter.provenance.url == entry.url
    assert segmenter.provenance.sha256 == sha256
    assert segmenter.provenance.licence == "Apache-2.0"
    printed = capsys.readouterr().err
    assert printed.count(LICENCE_NOTE) == 1
    assert f"its publisher states no SHA-256; {sha256[:8]}... of this first download is recorded" in printed
    segnext.load(CITY, "cpu", engine="torch")
    assert len(server.requests) == 1
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []

    published_file(ENCODER)
    assert "licence" not in capsys.readouterr().err  # shown once


def test_ours_are_in_the_repository_with_their_cards() -> None:
    ours = {entry.file: entry for entry in PUBLISHED.values() if entry.ours}
    folder = Path(__file__).parents[2] / "weights"
    assert {file.name for file in folder.glob("*.safetensors")} == ours.keys() != set()
    for file, entry in ours.items():
        assert digest(folder / file) == entry.sha256
        assert "research only" in (folder / f"{entry.name}.md").read_text(encoding="utf-8")


def test_ours_by_name(
    server: Any,
    tiny_weights: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "cache"))
    entry = PUBLISHED["segnext_t.vessels"]
    save_weights(tiny_weights, tmp_path / entry.file, half=True)
    content = (tmp_path / entry.file).read_bytes()
    server.files[f"/{entry.file}"] = content[:-1] + bytes([content[-1] ^ 1])
    sha256 = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(PUBLISHED, entry.name, replace(entry, url=f"{server.address}/{entry.file}", sha256=sha256))
    with pytest.raises(SegNextError, match=r"try again later, set SEGNEXT_MIRRORS"):
        published_file(entry.name)
    server.files[f"/{entry.file}"] = content
    loaded = load_weights(published_file(entry.name))
    assert loaded.labels == tiny_weights.labels
    assert loaded.provenance.licence == "research only"
    assert loaded.provenance.url == f"{server.address}/{entry.file}"
    assert loaded.provenance.converted_from is None
    halves = load_weights(tmp_path / entry.file).state
    assert all(torch.equal(x, halves[name]) for name, x in loaded.state.items())
    assert capsys.readouterr().err.count("research only") == 1


def test_encoder_by_name(published: Any) -> None:
    weights = read_checkpoint(published_file(ENCODER))
    assert weights.provenance.published == {"data": "ImageNet-1K val", "top1": 0.759}
    assert weights.state["head.weight"].shape == (1000, 32)
    with pytest.raises(SegNextError, match="holds an encoder alone"):
        segnext.load(ENCODER)


def test_wrong_file_is_refused(published: Any, server: Any, tmp_path: Path) -> None:
    server.files[f"/{published[ENCODER].file}"] = b"something else"
    with pytest.raises(SegNextError, match=r"so it was deleted\); try again later, set SEGNEXT_MIRRORS"):
        published_file(ENCODER)
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_first_download_is_trusted_and_later_ones_held_to_it(published: Any, server: Any) -> None:
    path = published_file(CITY)
    path.unlink()
    good = server.files[f"/{published[CITY].file}"]
    server.files[f"/{published[CITY].file}"] = good[:-1] + b"x"
    with pytest.raises(SegNextError, match=r"was recorded at the first download \(delete .*\.json to trust"):
        published_file(CITY)
    server.files[f"/{published[CITY].file}"] = good
    assert published_file(CITY) == path


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_record_of_the_first_download(published: Any, server: Any, content: str) -> None:
    path = published_file(CITY)
    path.unlink()
    record = path.with_suffix(".json")
    record.write_text(content)
    asked = len(server.requests)
    with pytest.raises(SegNextError, match=rf"{record.name}: the record .* is damaged; delete it"):
        published_file(CITY)
    assert len(server.requests) == asked
    record.unlink()
    assert published_file(CITY) == path


def test_damaged_file_without_hash_is_not_kept(published: Any, server: Any) -> None:
    good = server.files[f"/{published[CITY].file}"]
    server.files[f"/{published[CITY].file}"] = good[: len(good) // 2]
    with pytest.raises(SegNextError, match=r"download it again"):
        published_file(CITY)
    server.files[f"/{published[CITY].file}"] = good
    assert published_file(CITY).is_file()


def test_mirrors_come_first(published: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = published[ENCODER]
    server.files[f"/second/{entry.file}"] = server.files[f"/{entry.file}"]
    monkeypatch.setenv("SEGNEXT_MIRRORS", f"{server.address}/first/, {server.address}/second")
    weights = read_checkpoint(published_file(ENCODER))
    assert weights.provenance.url == f"{server.address}/second/{entry.file}"
    assert [path for path, _ in server.requests] == [f"/first/{entry.file}", f"/second/{entry.file}"]


def test_offline(
    published: Any,
    server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEGNEXT_OFFLINE", "1")
    with pytest.raises(
        SegNextError, match=r"mscan_t\.imagenet is not in the cache .* and SEGNEXT_OFFLINE is set"
    ) as error:
        published_file(ENCODER)
    assert str(tmp_path / "cache" / "downloads") in str(error.value)
    assert capsys.readouterr().err == ""  # there is nothing yet that has a licence
    # put there by hand, as the sentence says
    by_hand = tmp_path / "cache" / "downloads" / published[ENCODER].file
    by_hand.write_bytes(server.files[f"/{published[ENCODER].file}"])
    assert published_file(ENCODER).is_file()
    assert server.requests == []
    assert capsys.readouterr().err == f"{LICENCE_NOTE}\n"


def test_by_hand_but_wrong(published: Any, tmp_path: Path) -> None:
    by_hand = tmp_path / "cache" / "downloads" / published[ENCODER].file
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"something else")
    with pytest.raises(SegNextError, match="was published, so it was deleted; download it again"):
        published_file(ENCODER)
    assert not by_hand.exists()


def test_two_processes_download_once(published: Any, server: Any, tmp_path: Path) -> None:
    script = (
        "import dataclasses, sys; from segnext.checkpoint import cache, catalogue;"
        f"entry = dataclasses.replace(catalogue.PUBLISHED['{ENCODER}'], url=sys.argv[1], sha256=sys.argv[2]);"
        f"catalogue.PUBLISHED['{ENCODER}'] = entry; print(cache.published_file('{ENCODER}'))"
    )
    entry = published[ENCODER]
    command = [sys.executable, "-c", script, entry.url, entry.sha256]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs == [str(tmp_path / "cache" / f"{ENCODER}.safetensors")] * 2
    assert len(server.requests) == 1
    assert json.loads((tmp_path / "cache" / f"{ENCODER}.json").read_text())["url"] == entry.url


def test_wrong_number_of_classes(published: Any) -> None:
    catalogue.PUBLISHED[CITY] = replace(published[CITY], labels="ade20k")
    with pytest.raises(SegNextError, match="has 19 classes, but label set 'ade20k' 150"):
        published_file(CITY)


def test_unwritable_cache(published: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SegNextError, match=r"cannot be written .* set SEGNEXT_CACHE to another folder"):
        published_file(ENCODER)


def test_a_full_disk_does_not_cost_the_download(
    published: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(weights_module, "save_tensors", full)
        with pytest.raises(SegNextError, match=r"cannot be written \(No space left on device\); set SEGNEXT_CACHE"):
            published_file(ENCODER)
    assert [file.name for file in (tmp_path / "cache/downloads").iterdir()] == [published[ENCODER].file]
    assert published_file(ENCODER).is_file()
    assert len(server.requests) == 1
    assert list((tmp_path / "cache/downloads").iterdir()) == []


def test_a_disk_full_of_the_download_is_no_matter_of_mirrors(published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download.Part, "open", full)
    with pytest.raises(
        SegNextError, match=r"\.part: cannot be written \(No space left .*make room, or set SEGNEXT_CACHE$"
    ):
        published_file(ENCODER)


def test_the_file_stands_alone(published: Any, tiny: ModelConfig) -> None:
    weights = load_weights(published_file(CITY))
    assert weights.config == tiny
    assert weights.preprocess.short_side is None
    assert weights.provenance.published == {"data": "cityscapes val", "miou": 0.798}
