from dataclasses import replace

import pytest
import torch

from segnext.bench.ways import precisions
from segnext.bfloat16 import has_bf16
from segnext.training.config import TrainConfig
from segnext.training.processes import Processes
from segnext.training.start import decide


def processor(monkeypatch: pytest.MonkeyPatch, machine: str, *, bf16: bool, amx: bool) -> None:
    """One that is said to be so; oneDNN's own answer is yes, as on all with AVX-512."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)


@pytest.mark.parametrize(
    ("machine", "bf16", "amx", "computed"),
    [
        ("x86_64", True, False, True),
        ("AMD64", False, True, True),
        ("x86_64", False, False, False),
        ("aarch64", False, False, True),
    ],
)
def test_bf16_is_chosen_where_it_is_computed(
    machine: str, bf16: bool, amx: bool, computed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor(monkeypatch, machine, bf16=bf16, amx=amx)
    assert has_bf16("cpu") is computed
    config = decide(TrainConfig("data", "out", device="cpu"), Processes(), False)
    assert config.precision == ("bf16" if computed else "fp32")
    assert precisions("torch") == (("fp32", "bf16") if computed else ("fp32",))
    asked = decide(replace(config, precision="bf16"), Processes(), False)
    assert asked.precision == "bf16"  # who asks for it gets it
