"""The energy that the processor's packages have used, where the system tells it (Linux, RAPL)."""

from contextlib import suppress
from pathlib import Path

DOMAINS = Path("/sys/class/powercap")


def read_joules(domains: Path = DOMAINS) -> dict[str, tuple[float, float]] | None:
    """Of each package: what its counter says, and where the counter begins again, in joules; None where unreadable."""
    found = {}
    with suppress(OSError, ValueError):
        for domain in sorted(domains.glob("intel-rapl:[0-9]*")):
            if domain.name.count(":") == 1:  # parts of a package have two
                counter, most = ((domain / name).read_text() for name in ("energy_uj", "max_energy_range_uj"))
                found[domain.name] = int(counter) / 1e6, int(most) / 1e6
    return found or None


def joules_between(
    before: dict[str, tuple[float, float]] | None, after: dict[str, tuple[float, float]] | None
) -> float | None:
    """What all packages used between two readings; counters may have begun again once."""
    if before is None or after is None or before.keys() != after.keys():
        return None
    return sum((after[name][0] - before[name][0]) % after[name][1] for name in after)
