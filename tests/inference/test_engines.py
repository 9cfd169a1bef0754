"""Every engine gives the trained network's logits, at every size, from one artefact."""

import dataclasses
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CONFIG, picture, weights_like

from segnext.checkpoint.weights import Weights, load_weights, save_weights
from segnext.errors import SegNextError
from segnext.inference import engines
from segnext.inference.engines import artefacts, start
from segnext.inference.engines.artefacts import artefact
from segnext.inference.engines.engine import at_places
from segnext.inference.runtime import EngineName, PrecisionName, Runtime
from segnext.inference.segmenter import Segmenter
from segnext.model.config import PRESETS

SIZES = [(64, 96), (32, 32), (96, 64)]


@pytest.mark.parametrize(
    ("engine", "precision", "tolerance"),
    [
        ("torch", "fp32", 1e-4),
        ("torch", "bf16", 0.1),
        ("openvino", "fp32", 1e-4),
        ("openvino", "bf16", 0.1),
        ("onnxruntime", "fp32", 1e-4),
    ],
)
def test_logits_are_the_networks(
    tiny_weights: Weights, engine: EngineName, precision: PrecisionName, tolerance: float
) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    weights = (
        weights_like(dataclasses.replace(CONFIG, channels=(24, 32, 40, 48))) if precision == "bf16" else tiny_weights
    )
    running = start(weights, Runtime(engine, "cpu", precision))
    assert (running.name, running.precision, running.device) == (engine, precision, "cpu")
    model = weights.model()
    for size in SIZES:
        x = np.random.default_rng(0).standard_normal((3, *size, 3), np.float32)
        with torch.inference_mode():
            expected = model.decoder(model.encoder(torch.from_numpy(x).permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        logits = running(x)
        assert isinstance(logits, np.ndarray)
        assert logits.shape == (3, size[0] // 8, size[1] // 8, 4)
        assert logits.dtype == np.float32
        bound = tolerance * float(expected.abs().max())
        np.testing.assert_allclose(logits, expected, atol=bound, rtol=0)
        kept = logits.copy()
        running(x[:, ::-1].copy())
        np.testing.assert_array_equal(logits, kept, "the caller's array must not change with the next picture")
        one = running(x[:1])
        np.testing.assert_allclose(one, kept[:1], atol=(1e-5 if precision == "fp32" else 0.02) * float(kept.max()))


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
def test_what_else_is_in_the_batch_changes_no_byte(tiny_weights: Weights, engine: EngineName) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    running = start(tiny_weights, Runtime(engine, "cpu", "fp32", 2))
    x = np.random.default_rng(0).standard_normal((4, 64, 64, 3), np.float32)
    several = engine == "torch"
    assert [running.together(64, 64, most) for most in (4, 3, 1)] == ([4, 2, 1] if several else [1, 1, 1])
    assert running.together(4096, 4096, 9) == 1
    whole = at_places(running, dict(enumerate(x)), 4)
    for places in ((0,), (3,), (1, 2)):
        for place, logits in at_places(running, {place: x[place] for place in places}, 4).items():
            np.testing.assert_array_equal(logits, whole[place])


def test_narrow_networks_are_computed_in_fp32(tiny_weights: Weights, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(tiny_weights, Runtime("torch", "cpu", "auto")).precision == "fp32"
    assert capsys.readouterr().err == ""
    assert start(tiny_weights, Runtime("torch", "cpu", "bf16")).precision == "fp32"
    assert "this network is computed in fp32" in capsys.readouterr().err
    for channels, strips, hangs in (((16, 32, 32, 32), (7, 21), True), ((17, 32, 32, 32), (7, 21), False)):
        assert engines._hangs_in_bf16(dataclasses.replace(CONFIG, channels=channels, strips=strips)) == hangs
    assert not engines._hangs_in_bf16(dataclasses.replace(CONFIG, strips=(7, 11)))
    assert not any(engines._hangs_in_bf16(config) for name, config in PRESETS.items() if name.startswith("segnext"))


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_masks_of_all_engines_agree(tiny_weights: Weights, segmenter: Segmenter, engine: EngineName) -> None:
    pytest.importorskip(engine)
    other = Segmenter(tiny_weights, Runtime(engine, "cpu", "fp32"))
    for seed, size in enumerate([(50, 75), (33, 120)]):
        image = picture(*size, seed)
        assert (other(image).mask == segmenter(image).mask).mean() > 0.999
        np.testing.assert_allclose(other(image).confidence, segmenter(image).confidence, atol=1e-3)


def test_other_weights_get_other_artefacts(tmp_path: Path) -> None:
    made: list[str] = []

    def make(folder: Path) -> None:
        made.append(folder.name)
        (folder / "file").write_text(str(len(made)))

    first = artefact("a" * 64, "numpy", make)
    assert artefact("a" * 64, "numpy", make) == first
    second = artefact("b" * 64, "numpy", make)
    assert [(folder / "file").read_text() for folder in (first, second)] == ["1", "2"]
    weights = weights_like()
    changed = weights_like()
    changed.state["decoder.classifier.bias"][0] += 1e-3
    assert weights.digest == weights_like().digest != changed.digest
    file = tmp_path / "w.safetensors"
    save_weights(weights, file)
    assert load_weights(file).digest == load_weights(file).digest


def test_what_an_older_version_made_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(folder: Path) -> None:
        (folder / "file").touch()

    old = artefact("c" * 64, "numpy", make)
    other = artefact("d" * 64, "numpy", make)
    monkeypatch.setattr("segnext.inference.engines.artefacts._version", lambda engine: "e" * 16)
    new = artefact("c" * 64, "numpy", make)
    assert new != old
    assert not old.exists()
    assert other.exists()


def test_a_failure_leaves_nothing_behind() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        artefact("f" * 64, "numpy", fail)
    made = artefact("f" * 64, "numpy", lambda folder: (folder / "whole").touch())
    assert sorted(file.name for file in made.iterdir()) == [artefacts.SEAL, "whole"]


def test_without_a_cache_the_files_are_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(artefacts, "temporary_cache", lambda: tmp_path / "temporary")
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "file" / "cache"))  # cannot be made below a file
    folder = artefact("a" * 64, "numpy", lambda folder: (folder / "x").touch())
    assert (folder / "x").exists()
    assert tmp_path / "temporary" in folder.parents


def test_what_is_not_as_it_was_written_is_made_anew() -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "network").write_bytes(b"as it should be")

    folder = artefact("1" * 64, "numpy", make)
    file, added = folder / "network", folder / "compiled"
    for harm in (
        lambda: file.write_bytes(b"as it should bE"),
        lambda: file.write_bytes(b"as it"),
        file.unlink,
        lambda: (folder / artefacts.SEAL).write_text("{"),
        lambda: (folder / artefacts.SEAL).unlink(),
    ):
        before = len(made)
        harm()
        assert artefact("1" * 64, "numpy", make) == folder
        assert (len(made), file.read_bytes()) == (before + 1, b"as it should be")
    added.write_bytes(b"half written when the process was killed")
    assert artefact("1" * 64, "numpy", make) == folder
    assert not added.exists()
    added.write_bytes(b"compiled")
    artefacts.seal(folder)
    assert artefact("1" * 64, "numpy", make) == folder
    assert added.read_bytes() == b"compiled"
    added.write_bytes(b"Compiled")
    assert artefact("1" * 64, "numpy", make) == folder
    assert not added.exists()
    assert len(made) == 6


def test_what_another_process_is_adding_is_left_alone() -> None:
    folder = artefact("2" * 64, "numpy", lambda folder: (folder / "network").touch())
    added, writing = folder / "compiled", threading.Event()

    def add() -> None:
        with artefacts.adding(folder):
            added.write_bytes(b"comp")
            writing.set()
            time.sleep(0.3)
            added.write_bytes(b"compiled")

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(add)
        assert writing.wait(30)
        assert artefact("2" * 64, "numpy", lambda folder: pytest.fail("it is there")) == folder
        done.result()
    assert added.read_bytes() == b"compiled"


@pytest.mark.parametrize("engine", ["openvino", pytest.param("onnxruntime", marks=pytest.mark.long)])
def test_changed_bytes_in_the_cache_change_no_mask(engine: EngineName, tiny_weights: Weights) -> None:
    pytest.importorskip(engine)
    image = picture(50, 75)
    mask = Segmenter(tiny_weights, Runtime(engine, "cpu", "fp32"))(image).mask
    folder = artefact(tiny_weights.digest, engine, lambda folder: pytest.fail("it was made before"))
    for file in [*folder.glob("*.bin"), *folder.glob("*.blob"), *folder.glob("*.onnx")]:
        content = bytearray(file.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 50] = bytes(50)
        file.write_bytes(content)
    np.testing.assert_array_equal(Segmenter(tiny_weights, Runtime(engine, "cpu", "fp32"))(image).mask, mask)


def test_sources_that_are_not_there_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "SOURCES", ("model", "moved"))
    with pytest.raises(FileNotFoundError, match="no source in moved"):
        artefacts._version.__wrapped__("numpy")


def test_what_cannot_be_is_refused(tiny_weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegNextError, match="engine is 'tensorrt'; choose from auto, torch, openvino, onnxruntime"):
        start(tiny_weights, Runtime("tensorrt"))  # type: ignore[arg-type]
    with pytest.raises(SegNextError, match="precision is 'int8'; choose from auto, fp32, bf16"):
        start(tiny_weights, Runtime("torch", "cpu", "int8"))  # type: ignore[arg-type]
    with pytest.raises(SegNextError, match="onnxruntime computes in fp32"):
        start(tiny_weights, Runtime("onnxruntime", "cpu", "bf16"))
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(SegNextError, match=r"engine openvino is not installed.*segnext\[fast\]"):
        start(tiny_weights, Runtime("openvino", "cpu"))
    assert start(tiny_weights, Runtime("auto", "cpu")).name == "torch", "auto takes what is there"


def test_a_warm_cache_needs_no_torch(weights_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    code = (
        "import sys, numpy, segnext; "
        f"s = segnext.load({str(weights_file)!r}, engine='openvino', precision='fp32'); "
        f"s(numpy.zeros((40, 50, 3), numpy.uint8)).save({str(tmp_path)!r}); print('torch' in sys.modules)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert [run.stdout.strip() for run in runs] == ["True", "False"]
    assert runs[1].stderr == ""
    assert (tmp_path / "image.overlay.png").exists()


def test_nothing_is_reported_to_the_engines_maker() -> None:
    pytest.importorskip("openvino")
    code = "import sys, segnext.inference.engines.openvino_engine; print(sys.modules['openvino_telemetry'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
