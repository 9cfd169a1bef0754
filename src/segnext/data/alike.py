"""Names of classes that were probably meant to be one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

_JOINT = re.compile(r"(?<!\d)[\s_\-]+|[\s_\-]+(?!\d)")  # not that between numbers: "1-10" is not "110"


def alike(names: Iterable[str], counts: Mapping[str, int] | None = None) -> list[list[str]]:
    """Groups of different names that differ in case, blanks, hyphens and underscores alone.

    The name that the others should take comes first in each: the commonest by `counts`, of equally common ones one in
    lower case.
    """
    counts = counts or {}
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[_JOINT.sub("", name.casefold())].add(name)
    return [
        sorted(group, key=lambda name: (-counts.get(name, 0), _order(name)))
        for group in groups.values()
        if len(group) > 1
    ]


def _order(name: str) -> tuple[bool, bool, str]:
    return name != name.casefold(), name != name.strip(), name
