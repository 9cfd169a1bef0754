"""Whether kernels learn as their definitions do: losses of the same runs with them and without, for two seeds.

    python benchmarks/training_losses.py --data CAMVID [--steps 500] [--seeds 2] [--size 128 160] [--batch 4]
                                         [--precision bf16]

Given are means of ten steps, how far apart the two ways and the seeds are at most, and means of the last hundred.
"""

import argparse
import statistics
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from segnext.kernels.launch import definitions
from segnext.progress import progress
from segnext.training.config import TrainConfig
from segnext.training.step import Taken
from segnext.training.train import train

TEN = 10  # steps of a mean
LAST = 100  # steps, at the end


def losses(config: TrainConfig, within: AbstractContextManager[None], title: str) -> list[float]:
    """Of all steps of a run."""
    found: list[float] = []
    with progress("steps") as watch, within:

        def keep(step: int, taken: Taken) -> None:
            found.append(taken.loss)
            watch(title, step, config.iterations)

        train(config, on_step=keep)
    return found


def tens(values: list[float]) -> list[float]:
    """Means of ten steps."""
    return [statistics.fmean(values[start : start + TEN]) for start in range(0, len(values), TEN)]


def apart(one: list[float], other: list[float]) -> float:
    """How far their means of ten lie apart at most."""
    return max(abs(a - b) for a, b in zip(tens(one), tens(other), strict=True))


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 160))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    args = parser.parse_args()
    curves: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.seeds):
            for name, within in (("definitions", definitions()), ("kernels", nullcontext())):
                config = TrainConfig(
                    args.data,
                    str(Path(folder, f"{name}.{seed}")),
                    iterations=args.steps,
                    batch_size=args.batch,
                    total_batch=args.batch,
                    crop=tuple(args.size),
                    precision=args.precision,
                    device="cpu",
                    seed=seed,
                    val_split=None,
                )
                curves[name, seed] = losses(config, within, f"{name}, seed {seed}")
    shown = [number for number in (10, *range(50, args.steps + 1, 50)) if number <= args.steps]
    print("| step | " + " | ".join(map(str, shown)) + " |")
    for (name, seed), curve in curves.items():
        print(f"| {name}, seed {seed} | " + " | ".join(f"{tens(curve)[at // TEN - 1]:.3f}" for at in shown) + " |")
    ways = [apart(curves["definitions", seed], curves["kernels", seed]) for seed in range(args.seeds)]
    seeds = [apart(curves["kernels", 0], curves["kernels", seed]) for seed in range(1, args.seeds)]
    print(f"means of ten steps, at most apart: ways {max(ways):.3f}, seeds {max(seeds, default=0):.3f}")
    for (name, seed), curve in curves.items():
        print(f"mean of the last {LAST} steps, {name}, seed {seed}: {statistics.fmean(curve[-LAST:]):.3f}")


if __name__ == "__main__":
    main()
