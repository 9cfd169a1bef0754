"""Processor time and bytes of a training step's operations, one by one, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/training_kinds.py [--size 256 336] [--batch 8] [--classes 11] [--rounds 6]
                                                          [--precision bf16] [--most 50]

Every operation of PyTorch and every kernel of ours is timed alone, as often as it is called; given are the least sum of
its calls in a step, and the bytes of what it is given and gives. What is left of a step is Python, and what prepares
the kernels.
"""

import argparse
import importlib
import pkgutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from training import prepared, ways

import segnext.kernels
from segnext.allocator import keep_pages
from segnext.kernels.launch import launch
from segnext.training.config import TrainConfig


class Operations(TorchDispatchMode):
    """Within, what operations and kernels take is added up.

    Attributes:
        seconds: of processor time, by name.
        numbers: bytes, by name.
        calls: how many, by name.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: Counter[str] = Counter()
        self.numbers: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def timed(self, name: str, call: Callable[[], Any], arguments: Any) -> Any:
        """The result of `call`, which is known by a name."""
        started = time.thread_time()
        result = call()
        self.seconds[name] += time.thread_time() - started  # type: ignore[assignment]
        self.numbers[name] += bytes_of(arguments) + bytes_of(result)
        self.calls[name] += 1
        return result

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if "convolution" in name:
            weight = args[2] if "backward" in name else args[1]
            name += f" {weight.shape[2]}x{weight.shape[3]}"
        return self.timed(name, lambda: func(*args, **(kwargs or {})), args)

    def launch(self, kernel: Any, tasks: int, *arguments: Any) -> None:
        """In place of the function of that name."""
        function = kernel.py_func
        name = f"{function.__module__.removeprefix('segnext.kernels.')}.{function.__name__}"
        self.timed(name, lambda: launch(kernel, tasks, *arguments), arguments)


@contextmanager
def watched() -> Iterator[Operations]:
    """A step's operations, with the kernels' in every module that starts some."""
    found = Operations()
    names = [module.name for module in pkgutil.iter_modules(segnext.kernels.__path__, "segnext.kernels.")]
    modules = [module for module in map(importlib.import_module, names) if hasattr(module, "launch")]
    for module in modules:
        setattr(module, "launch", found.launch)  # noqa: B010
    with found:
        yield found
    for module in modules:
        setattr(module, "launch", launch)  # noqa: B010


def bytes_of(value: Any) -> int:
    """Of tensors and arrays, alone or among others."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, list | tuple):
        return sum(map(bytes_of, value))
    return int(getattr(value, "nbytes", 0))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 336))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--most", type=int, default=50)
    args = parser.parse_args()
    keep_pages()
    torch.manual_seed(0)
    way = ways(args.precision, peers=False)[-1]
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(folder, folder, batch_size=args.batch, device="cpu")
        way.prepare(config, args.classes)
        batch = next(prepared(Path(folder), config, tuple(args.size), args.classes, 1))
    rounds = []
    for number in range(args.rounds + 1):
        way.run(batch, 2 * number)
        with watched() as found:
            way.run(batch, 2 * number + 1)
        rounds.append(found)
    least = {name: min(found.seconds[name] for found in rounds[1:]) for name in rounds[-1].seconds}
    alone = min(way.processor[2::2])
    print(f"a step {1000 * alone:.0f} ms; its operations {1000 * sum(least.values()):.0f}")
    print(f"{'ms':>8}{'MB':>8}{'calls':>7}")
    for name, seconds in sorted(least.items(), key=lambda item: -item[1])[: args.most]:
        print(f"{1000 * seconds:8.2f}{rounds[-1].numbers[name] / 1e6:8.0f}{rounds[-1].calls[name]:7}  {name}")


if __name__ == "__main__":
    main()
