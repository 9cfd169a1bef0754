"""The processes that train together, on PyTorch's own engine: those that torchrun started, or one alone."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from segnext.errors import SegNextError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is; alone, nothing is exchanged.

    Attributes:
        rank: number of this process, from 0; only number 0 writes and prints.
        count: number of processes, on all hosts.
        local: number of this process on its host, which is the CUDA device that it takes.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def of_torchrun(cls) -> "Processes":
        """What torchrun says in the environment; one process where it does not run."""
        return cls(
            *(int(os.environ.get(name, ours)) for name, ours in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))
        )

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    @contextmanager
    def joined(self, device: str) -> Iterator[None]:
        """Within, the processes can exchange tensors of `device`, by NCCL or on processors by gloo.

        Raises:
            SegNextError: when the host has no CUDA device for this process, or another process is gone.
        """
        if device == "cuda":
            if self.local >= torch.cuda.device_count():
                raise SegNextError(
                    f"there is no CUDA device for process {self.local} of this host, which has "
                    f"{torch.cuda.device_count()}; start no more with --nproc_per_node"
                )
            torch.cuda.set_device(self.local)
        if self.count == 1:
            yield
            return
        backend = "nccl" if device == "cuda" else "gloo"
        dist.init_process_group(backend, store=_store(), rank=self.rank, world_size=self.count)
        try:
            yield
        except (dist.DistError, RuntimeError) as error:
            if not isinstance(error, dist.DistError) and not _connection_lost(error):
                raise
            raise SegNextError(
                f"process {self.rank} of {self.count} lost the others; what stopped them is said by one of them, and "
                "the last checkpoint is kept"
            ) from error
        dist.destroy_process_group()

    def parallel(self, model: nn.Module, device: str) -> nn.Module:
        """`model`, on `device`, whose gradients in the backward pass become the mean over the processes.

        BatchNorm statistics that are not taken over all processes are those of process 0.
        """
        if self.count == 1:
            return model
        devices = [self.local] if device == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices)

    def without_exchange(self, model: nn.Module) -> AbstractContextManager[object]:
        """A context in which what `parallel` gave keeps its gradients: for all passes of a step but the last."""
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in `tensor` itself."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over all processes; `tensor` is left as it is."""
        return tensor if self.count == 1 else self.sum(tensor.clone()) / self.count

    def same(self, value: T) -> T:
        """The value that process 0 has."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of `items`; the shares differ by one item at most."""
        return items[self.rank :: self.count]


def _store() -> Store:
    """Where the processes find each other: torchrun's store, apart from what an earlier attempt has left in it.

    torchrun keeps the store over its restarts, and processes that take the addresses of their dead predecessors for
    each other's wait for ever.
    """
    store, _, _ = next(rendezvous("env://"))
    return PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def _connection_lost(error: RuntimeError) -> bool:
    """Whether gloo says that another process is gone."""
    text = str(error).lower()
    return any(words in text for words in ("connection closed", "connection reset", "gloo", "timed out"))
