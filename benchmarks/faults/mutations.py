"""Changes that a file may have come to, by chance or by malice."""

import random
import re

NUMBERS = (
    *(b"0", b"-1", b"255", b"256", b"65536", b"4294967296", b"1e9", b"1e308", b"1e999", b"-1e9", b"NaN", b"Infinity"),
    *(b"0.5", b".inf", b".nan", b"9" * 400, b"0x7fffffff", b"1_000", b"true", b"null", b'""', b"[]", b"{}", b"[[]]"),
)
PIECES = (
    *(b"\0", b"\xff\xfe", b"\x1b[31m", b"\n", b"\r\n", b"\t", b"'", b'"', b"\\", b"../", b"/etc/passwd", b"%s"),
    *(b"${x}", b"&a [*a]", b"*a", b"<<: *a", b"!!python/object:os.system", b"{{", b"]]", b": ", b"- "),
    *(b"\xc3\x28", b"\xed\xa0\x80", "é".encode(), "\u202e".encode(), b"config: x.yaml"),
    *(b"[" * 3000, b"{" * 300, b"a" * 70_000),
)


def mutated(content: bytes, chance: random.Random, text: bool) -> bytes:
    """`content` after one to eight changes; `text` for files that people write."""
    changes = _OF_TEXT if text else _OF_BYTES
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        content = chance.choice(changes)(content, chance)
    return content


def _flip(content: bytes, chance: random.Random) -> bytes:
    """Some bits, most often where headers are."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 16))):
        if changed:
            end = min(len(changed), chance.choice((32, 256, len(changed))))
            changed[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _overwrite(content: bytes, chance: random.Random) -> bytes:
    """A number of 2, 4 or 8 bytes by one at the ends of what it can be."""
    width = chance.choice((2, 4, 8))
    value = chance.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), 2 ** (8 * width - 1) - 1))
    at = chance.randrange(max(1, min(len(content), chance.choice((64, 512, 1 << 20)))))
    return content[:at] + value.to_bytes(width, chance.choice(("little", "big"))) + content[at + width :]


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _drop(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + content[at + chance.choice((1, 4, 100)) :]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    at, length = chance.randrange(len(content) + 1), chance.choice((1, 16, 200))
    return content[: at + length] + content[at : at + length] * chance.choice((1, 3, 50)) + content[at + length :]


def _insert(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(PIECES) + content[at:]


def _number(content: bytes, chance: random.Random) -> bytes:
    """One of the numbers in a text by another."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if not found:
        return _insert(content, chance)
    where = chance.choice(found)
    return content[: where.start()] + chance.choice(NUMBERS) + content[where.end() :]


def _word(content: bytes, chance: random.Random) -> bytes:
    """One of the words in a text by another, by a number or by what is a sign."""
    found = list(re.finditer(rb"[A-Za-z_]{2,}", content))
    if not found:
        return _insert(content, chance)
    where, other = chance.choice(found), chance.choice(found)[0]
    return content[: where.start()] + chance.choice((other, *NUMBERS, *PIECES)) + content[where.end() :]


_OF_BYTES = (_flip, _flip, _overwrite, _overwrite, _cut, _drop, _repeat, _insert)
_OF_TEXT = (_number, _number, _number, _word, _word, _insert, _cut, _drop, _repeat, _flip)
