"""Whether the files that a run reads are still what they were when it was stopped."""

import hashlib
import os
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from segnext.words import counted


def fingerprints(files: Sequence[str], root: str) -> Tensor:
    """A number for each file, (N,) int64, that follows from its name below `root`, its size and its time."""

    def number(file: str) -> int:
        try:
            status = os.stat(file)  # noqa: PTH116  # of a million files, paths would take longer than the system
            about = f"{file.removeprefix(root)}\0{status.st_size}\0{status.st_mtime_ns}"
        except OSError:
            about = file  # that it cannot be read is said when it is to be
        return int.from_bytes(hashlib.blake2b(os.fsencode(about), digest_size=8).digest(), "little", signed=True)

    return torch.tensor([number(file) for file in files], dtype=torch.int64)


def tell_changes(before: Tensor, now: Tensor, files: Sequence[str], data: str) -> None:
    """Warn that files are other ones than those that the run was stopped with, or in another order.

    Args:
        before: what `fingerprints` gave then.
        now: what it gives.
        files: their names now.
        data: name of the data set, for the warning.
    """
    if torch.equal(before, now):
        return
    known = set(before.tolist())
    new = [file for file, number in zip(files, now.tolist(), strict=True) if number not in known]
    lost = len(known - set(now.tolist()))
    first = f", {new[0]} first" if new else ""
    print(
        f"warning: {data}: {counted(len(new), 'file')} changed or new{first}, and {lost} gone or changed, since the "
        "run was last started; it goes on, but not to the weights that it would have reached",
        file=sys.stderr,
        flush=True,
    )
