"""Golden values of networks by others: their public code runs on weights that everyone can draw again.

In an environment of its own, with torchvision, transformers, timm, einops, yacs, mmsegmentation, mmcv-lite==2.1.0 and
segnext, and with the authors' repositories HRNet/HRNet-Semantic-Segmentation (branch HRNet-OCR), HRNet/HRFormer and
fudan-zvg/SETR checked out:

    python tests/golden/make/peers.py HRNET HRFORMER SETR

Every tensor of theirs is set from ours, by names alone; only biases before a BatchNorm, which ours leave out, are zero.
"""

import importlib
import importlib.machinery
import re
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "model"))
from peer_cases import CLASSES, WIDTHS, ours, outputs, renamed  # noqa: E402

HRNET, HRFORMER, SETR = (Path(argument) for argument in sys.argv[1:4])
BN = {"norm_cfg": {"type": "BN"}}
FOUND: dict[str, np.ndarray] = {}


def compare(case: str, theirs: nn.Module, names: Mapping[str, str], call: Callable[[Any], Any] | None = None) -> None:
    """Load ours into theirs, run theirs, keep what it gives, and say how far ours is from it."""
    network = ours(case)
    state = renamed(network.state_dict(), names)
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    redundant = [name for name in missing if name.endswith(".bias")]
    assert not unexpected, unexpected
    rest = set(missing) - set(redundant)
    assert all(re.search("num_batches|relative_position_index|conv_seg|pooler", name) for name in rest), rest
    for name in redundant:
        nn.init.zeros_(theirs.get_parameter(name))
    theirs.eval()
    FOUND.update(outputs(call or theirs, case))
    far = max(float(np.abs(FOUND[key] - value).max()) for key, value in outputs(network, case).items())
    print(
        f"{case:20} largest value {max(float(np.abs(v).max()) for k, v in FOUND.items() if k.startswith(case)):8.3f}  "
        f"largest difference {far:.1e}"
    )


def torchvision_and_transformers() -> None:
    from torchvision.models import mobilenet_v2
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead
    from torchvision.models.segmentation.fcn import FCNHead
    from transformers import ViTConfig, ViTModel

    from segnext.model.encoders.vit import from_transformers

    def layers(net: nn.Module) -> Callable[[Tensor], list[Tensor]]:
        def call(x: Tensor) -> list[Tensor]:
            x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
            return [x := getattr(net, f"layer{number}")(x) for number in (1, 2, 3, 4)]

        return call

    for case, net in {
        "resnet-18": ResNet(BasicBlock, [2, 2, 2, 2]),
        "resnet-50 d8": ResNet(Bottleneck, [2, 2, 3, 2], replace_stride_with_dilation=[False, True, True]),
    }.items():
        net.fc = nn.Identity()
        compare(case, net, {}, layers(net))
    mobile = mobilenet_v2()
    mobile.classifier, mobile.features[18] = nn.Identity(), nn.Identity()

    def taps(x: Tensor) -> list[Tensor]:
        steps = [x := block(x) for block in mobile.features]
        return [steps[index] for index in (3, 6, 13, 17)]

    compare("mobilenet-v2", mobile, {}, taps)
    fcn = FCNHead(WIDTHS[-1], CLASSES)
    fcn[0], fcn[1], fcn[4] = nn.Conv2d(64, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.Conv2d(32, CLASSES, 1)
    compare("fcn of torchvision", fcn, {"convs.0.": "", "classifier": "4"}, lambda maps: fcn(maps[-1]))
    deeplab = DeepLabHead(WIDTHS[-1], CLASSES, (2, 4, 6))
    shrink(deeplab, 256, 32)
    names = {"pointwise": "0.convs.0", "pooled.": "0.convs.4.1.", "project": "0.project", "refine.0.0": "1"}
    names |= {f"dilated.{index}": f"0.convs.{index + 1}" for index in range(3)}
    names |= {"refine.0.1": "2", "classifier": "4", "4.1.0": "4.1", "4.1.1": "4.2"}
    compare("deeplabv3", deeplab, names, lambda maps: deeplab(maps[-1]))
    vit = ViTModel(
        ViTConfig(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=128, image_size=64),
        add_pooling_layer=False,
    )
    for name, tensor in vit.state_dict().items():  # the other way round: ours takes theirs
        nn.init.normal_(tensor, std=0.3, generator=torch.Generator().manual_seed(len(name)))
    network = ours("vit")
    network.load_state_dict(from_transformers(vit.state_dict(), 4))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        far = (network(x)[-1].flatten(2).mT - vit(x).last_hidden_state[:, 1:]).abs().max()
    print(f"{'vit':20} largest difference {float(far):.1e}")


def shrink(module: nn.Module, old: int, new: int) -> None:
    """The same layers at another width, where a released class has a fixed one."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                width = child.in_channels // old * new if child.in_channels % old == 0 else child.in_channels
                out = new if child.out_channels == old else child.out_channels
                made = nn.Conv2d(
                    width, out, child.kernel_size, 1, child.padding, child.dilation, bias=child.bias is not None
                )
                setattr(parent, name, made)
            elif isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.BatchNorm2d(new))


class Compiled(types.ModuleType):
    """Stands for mmcv's compiled parts, which no head here needs."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (nn.Module,), {})


def mmsegmentation() -> None:
    for name in ("mmcv.ops", "mmcv.ops.point_sample", "mmcv.ops.carafe"):
        sys.modules[name] = Compiled(name)
    from mmseg.models.decode_heads import DAHead, DepthwiseSeparableASPPHead, FCNHead, PSPHead, SETRUPHead, UPerHead

    common = {"channels": 32, "num_classes": CLASSES, **BN}
    last = {"in_channels": WIDTHS[-1], "in_index": -1, **common}
    all_four = {"in_channels": WIDTHS, "in_index": (0, 1, 2, 3), **common}
    ends = {".0.weight": ".conv.weight", "classifier": "conv_seg"}
    ends |= {f".1.{part}": f".bn.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches")}
    compare("fcn", FCNHead(**last), {"fuse": "conv_cat", **ends})
    levels = {f"levels.{index}.": f"psp_modules.{index}.1." for index in range(4)}
    compare("psp", PSPHead(pool_scales=(1, 2, 3, 6), **last), {**ends, **levels, "fuse": "bottleneck"})
    danet = DAHead(pam_channels=4, **last)
    names = {"position_in": "pam_in_conv", "position_out": "pam_out_conv", "position": "pam"}
    names |= {"channel_in": "cam_in_conv", "channel_out": "cam_out_conv", "channel.": "cam."}
    names |= {f"pam.{part}": f"pam.{part}_project" for part in ("query", "key", "value")}
    names |= {"pam.gamma": "pam.gamma.scale", "cam.gamma": "cam.gamma.scale"}
    compare("danet", danet, {**ends, **names}, lambda maps: danet(maps)[0])
    plus = DepthwiseSeparableASPPHead(dilations=(1, 2, 4, 6), c1_in_channels=16, c1_channels=12, **last)
    separable = {}
    for part in ("branches.1", "branches.2", "branches.3", "refine.0", "refine.1"):
        separable |= {f"{part}.0.": f"{part}.depthwise_conv.", f"{part}.1.": f"{part}.pointwise_conv."}
    names = {"branches": "aspp_modules", "refine": "sep_bottleneck", "pooled": "image_pool.1", "early": "c1_bottleneck"}
    compare("deeplabv3plus", plus, {**separable, **ends, **names, "project": "bottleneck"})
    names = {f"pooled.{index}.": f"psp_modules.{index}.1." for index in range(4)}
    names |= {"lateral": "lateral_convs", "smooth": "fpn_convs", "top": "bottleneck", "fuse": "fpn_bottleneck"}
    compare("upernet", UPerHead(**all_four), {**ends, **names})
    pup = SETRUPHead(num_convs=4, up_scale=2, norm_layer={"type": "BN"}, **last)
    pup.norm = nn.Identity()  # ours has it in the encoder
    names = {f"steps.{index}.": f"up_convs.{index}.0." for index in range(4)}
    compare("setr pup", pup, {**ends, **names}, lambda maps: without_norm(pup, maps[-1]))


def without_norm(pup: nn.Module, x: Tensor) -> Tensor:
    """Theirs enlarges once more before the classifier; both are linear, so that each may come first."""
    for step in pup.up_convs[:-1]:
        x = step(x)
    return pup.conv_seg(pup.up_convs[-1][0](x))


def high_resolution() -> None:
    from yacs.config import CfgNode

    np.int = int  # type: ignore[attr-defined]  # which the released code still names
    sys.path[:0] = [str(HRNET / "lib")]
    import models.seg_hrnet as plain
    import models.seg_hrnet_ocr as ocr

    nn.SyncBatchNorm = nn.BatchNorm2d  # type: ignore[misc]
    for module in (plain, ocr):
        module.BatchNorm2d = nn.BatchNorm2d
    stages = {"STAGE1": stage(1, 1, "BOTTLENECK", 1, (16,))}
    stages |= {f"STAGE{n}": stage(units, n, "BASIC", 1, WIDTHS[:n]) for n, units in ((2, 1), (3, 2), (4, 1))}
    extra = {"FINAL_CONV_KERNEL": 1, **stages}
    config = CfgNode(
        {"MODEL": {"ALIGN_CORNERS": False, "EXTRA": extra, "OCR": OCR}, "DATASET": {"NUM_CLASSES": CLASSES}}
    )
    names = {"encoder.": "", "decoder.fuse": "last_layer", "decoder.classifier": "last_layer.3"}
    compare("hrnet", plain.HighResolutionNet(config), names)
    net = ocr.HighResolutionNet(config)
    parts = nn.ModuleDict(
        {name: getattr(net, name) for name in ("conv3x3_ocr", "aux_head", "ocr_distri_head", "cls_head")}
    )
    names = {"coarse.0.0": "aux_head.0", "coarse.0.1": "aux_head.1", "coarse.1": "aux_head.3"}
    names |= {"pixels.0": "conv3x3_ocr.0", "pixels.1": "conv3x3_ocr.1", "classifier": "cls_head"}
    block = "ocr_distri_head.object_context_block"
    for part, theirs in {"query": "f_pixel", "key": "f_object"}.items():
        for index, at in ((0, 0), (1, 2)):
            names |= {f"attention.{part}.{index}.0": f"{block}.{theirs}.{at}"}
            names |= {f"attention.{part}.{index}.1": f"{block}.{theirs}.{at + 1}.0"}
    for part, theirs in {
        "value": f"{block}.f_down",
        "widen": f"{block}.f_up",
        "fuse": "ocr_distri_head.conv_bn_dropout",
    }.items():
        names |= {f"attention.{part}.0": f"{theirs}.0", f"attention.{part}.1": f"{theirs}.1.0"}

    def call(maps: list[Tensor]) -> Tensor:  # as HRFormer's code calls it, after its encoder
        size = maps[0].shape[2:]
        x = torch.cat([F.interpolate(x, size=size, mode="bilinear", align_corners=True) for x in maps], dim=1)
        scores, x = net.aux_head(x), net.conv3x3_ocr(x)
        return net.cls_head(net.ocr_distri_head(x, net.ocr_gather_head(x, scores)))

    compare("ocr", parts, names, call)
    for name in [name for name in sys.modules if name.split(".")[0] in ("models", "lib")]:
        del sys.modules[name]
    sys.path[:0] = [str(HRFORMER / "seg")]
    sys.modules["timm.models.layers"] = importlib.import_module("timm.layers")  # which have moved since
    sys.modules["torchvision.models.utils"] = importlib.import_module("torchvision.models._api")
    from lib.models.backbones.hrt.hrt_backbone import HighResolutionTransformer

    heads = (1, 2, 4, 8)
    stages = {"STAGE1": stage(1, 1, "BOTTLENECK", 2, (64,))}
    for number, units in ((2, 1), (3, 2), (4, 1)):
        entry = stage(units, number, "TRANSFORMER_BLOCK", 2, WIDTHS[:number])
        entry |= {"NUM_HEADS": heads[:number], "NUM_MLP_RATIOS": [4] * number, "NUM_WINDOW_SIZES": [7] * number}
        stages[f"STAGE{number}"] = entry
    compare("hrformer", HighResolutionTransformer({"DROP_PATH_RATE": 0.0, **stages}), {})


OCR = {"MID_CHANNELS": 32, "KEY_CHANNELS": 16, "DROPOUT": 0.05, "SCALE": 1}


def stage(units: int, branches: int, block: str, blocks: int, widths: tuple[int, ...]) -> dict[str, Any]:
    return {
        "NUM_MODULES": units,
        "NUM_BRANCHES": branches,
        "NUM_BLOCKS": [blocks] * branches,
        "NUM_CHANNELS": list(widths),
        "BLOCK": block,
        "FUSE_METHOD": "SUM",
    }


def setr_mla() -> None:
    """Two classes of the authors' code, whose files want an older mmcv."""
    scope: dict[str, Any] = {"nn": nn, "F": F, "torch": torch}
    scope["build_norm_layer"] = lambda config, width: ("bn", nn.BatchNorm2d(width))
    for file, name in (("backbones/vit_mla.py", "Conv_MLA"), ("decode_heads/vit_mla_head.py", "MLAHead")):
        text = (SETR / "mmseg" / "models" / file).read_text()
        exec(re.search(rf"class {name}\(.*?(?=\n@|\nclass )", text, re.S)[0], scope)  # type: ignore[index]
    net = nn.ModuleDict({"neck": scope["Conv_MLA"](64, 32), "head": scope["MLAHead"](32, 16)})
    net["neck"].to_2D = lambda x: x
    for index, width in enumerate(WIDTHS):
        getattr(net["neck"], f"mla_p{index + 2}_1x1")[0] = nn.Conv2d(width, 32, 1, bias=False)
    net["classifier"] = nn.Conv2d(64, CLASSES, 3, padding=1)
    names = {}
    for index in range(4):
        names |= {f"narrow.{index}.": f"neck.mla_p{index + 2}_1x1.", f"levels.{index}.0.": f"neck.mla_p{index + 2}."}
        names |= {f"levels.{index}.1.": f"head.head{index + 2}.", f"levels.{index}.2.0": f"head.head{index + 2}.3"}
        names |= {f"levels.{index}.2.1": f"head.head{index + 2}.4"}
    compare("setr mla", net, names, lambda maps: net["classifier"](net["head"](*net["neck"](*maps))))


torch.manual_seed(0)
torchvision_and_transformers()
setr_mla()
mmsegmentation()
high_resolution()
np.savez_compressed(ROOT / "golden" / "peers.npz", **FOUND)
