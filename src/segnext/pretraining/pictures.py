"""The curves of a pre-training run."""
from pathlib import Path


def curves(log: Path, out: Path) -> None:
    pass
