"""What is to run a network, as the user chose it. Plain data."""

from dataclasses import dataclass


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
    """

    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    streams: int = 1


ANY = Runtime()  # the best there is
