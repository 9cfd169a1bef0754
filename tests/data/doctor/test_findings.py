import re
import string
from pathlib import Path
from typing import Any

import pytest

from segnext.data.doctor import findings
from segnext.data.doctor.findings import Number, Severity, found, table

SOURCE = Path(findings.__file__).parent
PAGE = Path(__file__).parents[3] / "docs/data_check.md"


def test_numbers_agree_with_their_nouns() -> None:
    text = "{n:mask} {n:/is/are} there, {n} of {m:class|classes}"
    assert text.format(n=Number(1), m=Number(1)) == "1 mask is there, 1 of 1 class"
    assert text.format(n=Number(1204), m=Number(2)) == "1,204 masks are there, 1,204 of 2 classes"


@pytest.mark.parametrize("kind", table())
def test_every_kind_is_whole(kind: str) -> None:
    entry = table()[kind]
    assert {"severity", "title", "why", "fix"} <= entry.keys() <= {"code", "severity", "title", "why", "fix"}
    fields = [field for text in entry.values() for field in string.Formatter().parse(text) if field[1]]
    names = {word for _, name, spec, _ in fields for word in (str(name), *re.findall(r"{(\w+)}", spec or ""))}
    words: dict[str, Any] = {name: 2 if f"{{{name}:" in str(entry) else f"<{name}>" for name in names - {"n"}}
    finding = found(kind, ["a", "b"], **words)
    assert finding.severity is Severity[entry["severity"].upper()]
    assert finding.count == 2
    assert "{" not in finding.title + finding.why
    assert finding.code in PAGE.read_text(encoding="utf-8")


def test_every_kind_is_found_somewhere() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in SOURCE.glob("*.py"))
    assert {kind for kind in table() if f'"{kind}"' not in code} == set()
    assert set(re.findall(r'found\(\s*"([\w-]+)"', code)) <= table().keys()


def test_commands_are_lines_of_their_own() -> None:
    finding = found("no-val-split", (), 1, splits="train", more="", fix="segnext data split x --val 0.2")
    assert finding.to_dict()["commands"] == ["segnext data split x --val 0.2"]
