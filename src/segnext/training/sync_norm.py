"""BatchNorm over the pictures of all processes."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


def synchronise(model: nn.Module, device: str) -> nn.Module:
    """`model` with the same tensors, whose BatchNorm takes its statistics over all processes.

    On CUDA devices by torch's own SyncBatchNorm, which knows no others; elsewhere by `SyncedBatchNorm`.
    """
    if device == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-any-return, no-untyped-call]
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, SyncedBatchNorm.like(child))
    return model


class SyncedBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance in training are those of the batches of all processes, equal in size."""

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> "SyncedBatchNorm":
        """A norm with the very tensors of `norm`."""
        synced = cls(norm.num_features, norm.eps, norm.momentum)
        synced.weight, synced.bias = norm.weight, norm.bias
        synced.running_mean, synced.running_var = norm.running_mean, norm.running_var
        synced.num_batches_tracked = norm.num_batches_tracked
        return synced.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        mean = _mean(values.mean((0, 2, 3)))
        centred = values - mean[:, None, None]
        variance = _mean(centred.square().mean((0, 2, 3)))
        self._track(mean.detach(), variance.detach(), x.numel() // x.shape[1] * dist.get_world_size())
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Take a batch's statistics into the running ones, the variance without bias, as BatchNorm does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _Mean(torch.autograd.Function):
    """Mean over all processes, of values and in the backward pass of gradients.

    Each process differentiates its own loss; the mean of these losses is what is minimised.
    """

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()


def _mean(x: Tensor) -> Tensor:
    result: Tensor = _Mean.apply(x)  # type: ignore[no-untyped-call]
    return result
