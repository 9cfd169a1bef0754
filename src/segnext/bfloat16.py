"""Whether bfloat16 is worth choosing: devices that emulate it take several times as long as in float32."""

import platform

import torch


def has_bf16(device: str) -> bool:
    """Whether `device` computes bfloat16 instead of emulating it.

    oneDNN's own answer is yes for every x86 processor with AVX-512, and it emulates where AVX512-BF16 and AMX are
    missing; on others, such as Arm's, it asks the processor.
    """
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
