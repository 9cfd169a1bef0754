"""Global context by other means than the Hamburger, for the paper's comparison: CC, EMA, NL.

Each module takes the Hamburger's place in the head: (B, C, H, W) -> (B, C, H, W), its own residual included.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnext.model.hamburger import EPS, fixed_bases
from segnext.model.layers import ConvNorm, without_autocast

CRISS_CROSS_ROUNDS = 2  # after two, every position has heard from every other
EM_STEPS = 3
EM_MOMENTUM = 0.1


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Every position becomes a mean of all values, weighted by softmax(scale * query . key).

    Args:
        query: (B, K, H, W).
        key: (B, K, *, *), its positions the query's or others.
        value: (B, C, *, *), as many as keys.
        scale: factor of the inner products.

    Returns:
        (B, C, H, W).
    """
    q, k, v = (x.flatten(2).transpose(-2, -1)[:, None] for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(q, k, v, scale=scale)
    return mixed[:, 0].transpose(-2, -1).reshape(*value.shape[:2], *query.shape[2:])


class NonLocal(nn.Module):
    """The non-local block, embedded Gaussian version (Wang et al., 2018), with scaled inner products.

    It starts as the identity: the last norm's weight is zero (section 4.1 there).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 2, 1)
        self.key = nn.Conv2d(channels, channels // 2, 1)
        self.value = nn.Conv2d(channels, channels // 2, 1)
        self.project = ConvNorm(channels // 2, channels)
        nn.init.zeros_(self.project.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.query.out_channels**-0.5
        context = attend(self.query(x), self.key(x), self.value(x), scale)
        return x + self.project(context)  # type: ignore[no-any-return]


class CrissCross(nn.Module):
    """Recurrent criss-cross attention (Huang et al., 2019): twice, each position attends to its row and column.

    It starts as the identity: `gamma` is zero.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(CRISS_CROSS_ROUNDS):
            x = x + self.gamma * self._criss_cross(self.query(x), self.key(x), self.value(x))
        return x

    def _criss_cross(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        height = query.shape[2]
        column = torch.einsum("bchw,bciw->bhwi", query, key)
        row = torch.einsum("bchw,bchj->bhwj", query, key)
        itself = torch.eye(height, dtype=torch.bool, device=query.device)[:, None]
        column = column.masked_fill(itself, -torch.inf)  # it is in its row already
        attention = torch.cat([column, row], dim=3).softmax(dim=3).to(value.dtype)
        column, row = attention[..., :height], attention[..., height:]
        return torch.einsum("bhwi,bciw->bchw", column, value) + torch.einsum("bhwj,bchj->bchw", row, value)


class EMA(nn.Module):
    """The expectation-maximisation attention unit of EMANet (Li et al., 2019).

    Three rounds of EM fit R bases to the positions, which are then rebuilt from them. The bases start
    from a buffer, which in training follows the mean of the fitted ones. The gradient runs through the
    last responsibilities; the released code cuts it before them, so that its first convolution never learns.

    Args:
        channels: C.
        rank: number of bases R; 64 in EMANet.
    """

    bases: Tensor

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, channels, 1)
        self.register_buffer("bases", fixed_bases(channels, rank, signed=True))
        self.project = ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.project(F.relu(self._rebuild(self.embed(x)))))

    def _rebuild(self, x_BCHW: Tensor) -> Tensor:
        with without_autocast(x_BCHW):
            x = x_BCHW.flatten(2).float()
            with torch.no_grad():
                bases = self.bases.float().expand(x.shape[0], -1, -1)
                for _ in range(EM_STEPS):
                    share = self._responsibilities(x, bases)
                    means = x @ (share / (EPS + share.sum(dim=1, keepdim=True)))
                    bases = F.normalize(means, dim=1, eps=EPS)
                if self.training:
                    mean = F.normalize(bases.mean(dim=0, keepdim=True), dim=1)
                    self.bases.lerp_(mean.to(self.bases.dtype), EM_MOMENTUM)
            rebuilt = bases @ self._responsibilities(x, bases).transpose(-2, -1)
        return rebuilt.view(x_BCHW.shape).to(x_BCHW.dtype)

    @staticmethod
    def _responsibilities(x_BCN: Tensor, bases_BCR: Tensor) -> Tensor:
        """The E step: (B, N, R)."""
        return F.softmax(x_BCN.transpose(-2, -1) @ bases_BCR, dim=-1)
