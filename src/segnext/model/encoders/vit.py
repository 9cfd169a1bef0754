"""The plain vision transformer (Dosovitskiy et al., 2021), as SETR's encoder: four maps of one size, 1/16."""

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.encoders.encoder import Encoder, Layers
from segnext.model.layers import ChannelNorm, DropPath

EPS = 1e-12  # of transformers' ViT; the original's 1e-6 differs in the seventh digit
EXPANSION = 4


class Block(nn.Module):
    """Self-attention over all places and FFN, each behind LayerNorm. (B, L, C) -> (B, L, C)."""

    def __init__(self, channels: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(channels, eps=EPS)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels, eps=EPS)
        self.expand = nn.Linear(channels, EXPANSION * channels)
        self.project = nn.Linear(EXPANSION * channels, channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.drop_path(self.proj(mixed))
        return x + self.drop_path(self.project(F.gelu(self.expand(self.norm2(x)))))  # type: ignore[no-any-return]


class Positions(nn.Module):
    """A class token before the places, and an embedding of each. (B, C, H, W) -> (B, 1 + H * W, C)."""

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x.flatten(2).transpose(-2, -1)], dim=1)
        return tokens + interpolated(self.pos_embed, *x.shape[2:])


class ViT(Encoder):
    """Patches of 16 x 16, position embeddings, blocks; LayerNorm on the maps after each quarter of the blocks.

    An image that is no multiple of 16 is padded with zeros below and on the right. Position embeddings are
    interpolated to the image's grid (bicubic).

    Args:
        width: C.
        depth: number of blocks, a multiple of four.
        heads: of the attention.
        grid: side of the square grid of positions that are learned.
        drop_path: drop path probability of the last block; it grows linearly from 0 over the blocks.
        in_channels: bands of the image.
        patch: side of a patch.

    Forward: image (B, in_channels, H, W) -> four maps (B, width, H / 16, W / 16), sizes rounded up.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        grid: int = 32,
        drop_path: float = 0.1,
        in_channels: int = 3,
        patch: int = 16,
    ) -> None:
        super().__init__()
        self.channels, self.strides = (width,) * 4, (patch,) * 4
        self.patch_embed = nn.Conv2d(in_channels, width, patch, patch)
        self.positions = Positions(width, grid)
        self.blocks = nn.ModuleList(Block(width, heads, rate) for rate in np.linspace(0, drop_path, depth).tolist())
        self.norms = nn.ModuleList(ChannelNorm(width, eps=EPS) for _ in range(4))
        self.apply(_init)

    def forward(self, image: Tensor) -> list[Tensor]:
        patch = self.strides[0]
        height, width = image.shape[2:]
        x = self.patch_embed(F.pad(image, (0, -width % patch, 0, -height % patch)))
        rows, columns = x.shape[2:]
        x = self.positions(x)
        maps: list[Tensor] = []
        every = len(self.blocks) // 4
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number % every == 0:
                tapped = x[:, 1:].transpose(-2, -1).unflatten(2, (rows, columns))
                maps.append(self.norms[len(maps)](tapped))
        return maps

    def layers(self) -> list[Layers]:
        """The blocks; what comes before them is a layer of the first stage, and norms go with the block before."""
        every = len(self.blocks) // 4
        found: list[Layers] = [[[block] for block in self.blocks[i * every : (i + 1) * every]] for i in range(4)]
        for stage, norm in zip(found, self.norms, strict=True):
            stage[-1].append(norm)
        found[0].insert(0, [self.patch_embed, self.positions])
        return found


def interpolated(embedding: Tensor, rows: int, columns: int) -> Tensor:
    """Position embeddings (1, 1 + G * G, C) for a grid of `rows` x `columns`: (1, 1 + rows * columns, C)."""
    side = math.isqrt(int(embedding.shape[1]) - 1)  # a constant of the network, in an exported one too
    if (rows, columns) == (side, side):
        return embedding
    grid = embedding[:, 1:].transpose(-2, -1).reshape(1, -1, side, side)
    grid = F.interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=False)
    return torch.cat([embedding[:, :1], grid.flatten(2).transpose(-2, -1)], dim=1)


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def from_transformers(state: Mapping[str, Tensor], grid: int) -> dict[str, Tensor]:
    """The tensors of transformers' `ViTModel`, or of a model around it, under the names here.

    Position embeddings are interpolated to `grid` x `grid`. What serves a classifier is left out; the norm at the
    end becomes that of all four maps.

    Args:
        state: as the Hub's files have it, or as transformers 5 names it in memory.
        grid: of the encoder that shall take them.
    """
    given = {_plain(name): tensor for name, tensor in state.items()}
    ours = {
        "positions.cls_token": given["embeddings.cls_token"],
        "positions.pos_embed": interpolated(given["embeddings.position_embeddings"], grid, grid),
    }
    for kind in ("weight", "bias"):
        ours[f"patch_embed.{kind}"] = given[f"embeddings.patch_embeddings.projection.{kind}"]
        ours |= {f"norms.{tap}.{kind}": given[f"layernorm.{kind}"] for tap in range(4)}
        number = 0
        while f"layers.{number}.layernorm_before.{kind}" in given:
            layer = f"layers.{number}"
            attention = [given[f"{layer}.attention.{part}_proj.{kind}"] for part in "qkv"]
            ours[f"blocks.{number}.qkv.{kind}"] = torch.cat(attention)
            for name, theirs in LAYERS.items():
                ours[f"blocks.{number}.{name}.{kind}"] = given[f"{layer}.{theirs}.{kind}"]
            number += 1
    return ours


LAYERS = {  # of a block, here and in transformers 5
    "norm1": "layernorm_before",
    "proj": "attention.o_proj",
    "norm2": "layernorm_after",
    "expand": "mlp.fc1",
    "project": "mlp.fc2",
}
FILES = {  # what the Hub's files call the same
    "encoder.layer.": "layers.",
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


def _plain(name: str) -> str:
    """A tensor's name as transformers 5 has it in memory, of the model alone."""
    name = name.removeprefix("vit.")
    for file, memory in FILES.items():
        name = name.replace(file, memory)
    return name
