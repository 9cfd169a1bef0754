import re
from pathlib import Path

import segnext
from segnext.words import counted, listed, percent, printable, quoted, share


def test_numbers_with_their_nouns() -> None:
    assert [counted(n, "mask") for n in (0, 1, 1204)] == ["0 masks", "1 mask", "1,204 masks"]
    assert counted(2, "class", "classes") == "2 classes"


def test_lists_say_how_many_there_are() -> None:
    assert listed(["a", 1]) == "a, 1"
    assert listed(range(10), 3) == "0, 1, 2, ... (10 in all)"


def test_what_is_there_never_reads_as_nothing() -> None:
    shares = [percent(x) for x in (0.0, 1e-6, 0.0005, 0.2564, 1.0)]
    assert shares == ["0.0 %", "<0.1 %", "0.1 %", "25.6 %", "100.0 %"]
    assert [percent(x, 2, "") for x in (float("nan"), 1e-6, 0.66517)] == ["-", "<0.01", "66.52"]
    assert [share(part, 100) for part in (0, 0.0031, 0.5, 2.5, 34)] == ["0 %", "0.0031 %", "0.5 %", "2.5 %", "34 %"]
    assert share(3, 0) == "300 %"


def test_names_do_nothing_to_a_terminal() -> None:
    assert printable("café 画像 \U0001f468‍\U0001f469.png") == "café 画像 \U0001f468‍\U0001f469.png"
    assert printable("a\nb\x1b[31mc\r\x07") == "a\\nb\\x1b[31mc\\r\\x07"
    assert printable("na\udce9ve\u202egnp.exe\u2028") == "na\\udce9ve\\u202egnp.exe\\u2028"


def test_every_command_that_is_told_quotes_its_paths() -> None:
    """A path with a blank would otherwise be two words of the command that people copy."""
    assert quoted("runs/two words") == "'runs/two words'"
    said = re.compile(
        r"(--(?:resume|weights|config|data|encoder_weights)|--from|segnext(?: [a-z]+)+) \{(?!quoted\(|args\.kind)"
    )
    found = [
        f"{file}: {match[0]}"
        for file in sorted(Path(segnext.__file__).parent.rglob("*.py"))
        for match in said.finditer(file.read_text(encoding="utf-8"))
    ]
    assert not found


def test_no_quoted_path_stands_within_quotes() -> None:
    """'segnext data check 'my data'' is read as two commands by people and by shells."""
    nested = re.compile(r"'segnext [^'\"]*\{(?:quoted\(|command)")
    files = Path(segnext.__file__).parent.rglob("*.py")
    assert [str(file) for file in files if nested.search(file.read_text(encoding="utf-8"))] == []
