"""What is to run a network, as the user chose it. Plain data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Union

from segnext.choices import nearest, require_choices
from segnext.errors import SegNextError

if TYPE_CHECKING:
    import torch

EngineName = Literal["auto", "torch", "openvino", "onnxruntime"]
PrecisionName = Literal["auto", "fp32", "bf16"]
CUDA = Literal["cuda", "cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7"]
DeviceName = Literal["auto", "cpu"] | CUDA
Device = Union[DeviceName, int, "torch.device"]  # the number of a CUDA device, as torch takes it


@dataclass(frozen=True)
class Runtime:
    """How a network is run.

    Attributes:
        engine: "torch", "openvino" or "onnxruntime"; "auto" takes torch on a CUDA device, and on a processor OpenVINO
            where it is installed and the processor is of the x86 family, the ones it is made for, else torch.
        device: "cpu", "cuda" or "cuda:N"; "auto" takes a CUDA device if there is one.
        precision: "fp32" or "bf16"; "auto" takes bf16 where the processor computes it, fp32 elsewhere and on CUDA.
        streams: pictures to work on at the same time, called from so many threads; each then takes longer, all of
            them together take less. OpenVINO alone has more than one.

    Raises:
        SegNextError: for an engine, precision or kind of device that there is not.
    """

    engine: EngineName = "auto"
    device: str = "auto"
    precision: PrecisionName = "auto"
    streams: int = 1

    def __post_init__(self) -> None:
        """Refuse names that there are not."""
        require_choices(self)
        object.__setattr__(self, "device", device_name(self.device))


def device_name(device: Device | str) -> str:
    """A device as torch writes it: "cuda:1" of 1, "1" or `torch.device("cuda", 1)`.

    Raises:
        SegNextError: when it is of a kind that is not supported, or of none.
    """
    name = f"cuda:{device}" if str(device).isdecimal() else str(device)
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not number.isdecimal()) or (number and kind != "cuda"):
        near = {"gpu": "cuda", "nvidia": "cuda"}.get(kind) or "".join(nearest(kind, ("auto", "cpu", "cuda"))[:1])
        raise SegNextError(
            f"device is '{name}'; "
            + (
                f"did you mean {near}?"
                if near
                else "processors and CUDA devices are supported: auto, cpu, cuda or cuda:N"
            )
        )
    return name


ANY = Runtime()  # the best there is
