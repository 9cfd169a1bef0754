"""Names of classes that were probably meant to be one."""

import re
from collections import defaultdict
from collections.abc import Iterable

_JOINT = re.compile(r"(?<!\d)[\s_\-]+|[\s_\-]+(?!\d)")  # not that between numbers: "1-10" is not "110"


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that differ in case, blanks, hyphens and underscores alone.

    The name that the others should take comes first in each: one in lower case, if there is one.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[_JOINT.sub("", name.casefold())].add(name)
    return [sorted(group, key=_order) for group in groups.values() if len(group) > 1]


def _order(name: str) -> tuple[bool, bool, str]:
    return name != name.casefold(), name != name.strip(), name
