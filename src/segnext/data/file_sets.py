"""Sets of files that may be pictures, or their masks, by what their folders and names have in common."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from segnext.data.names import Role, bare_stem, parts_of, role_of, role_word, stem_of

Place = tuple[str, ...]  # the folders that are left without those that say what a file is
Key = tuple[Place, str]  # the same with what is left of the name; equal for a picture and its mask

MOST_SETS = 48
SHARED = 0.02  # of the files must share a folder's or a name's word for it to make a set
MOST = 0.8  # share of files whose folders say one role, from which all have it
EQUAL, BARE, CORE, ALONE = "equal names", "names without words", "what names do not share", "file names alone"
_END = re.compile(r"[ _.\-(]+[^\W\d_]+(?:[ _.\-][^\W\d_]+)*\)?$")
_BEGIN = re.compile(r"[^\W\d_]+[ _.\-]+(?=\d)")


@dataclass
class FileSet:
    """Files that may be the pictures, or the masks.

    Attributes:
        name: what they have in common, for people.
        role: what that says they are.
        places: the files, with their places.
        word: what is taken off each name, as "*_mask" or "mask_*"; "" in sets that are not divided by names.
    """

    name: str
    role: Role
    places: dict[Path, Place]
    word: str = ""
    _known: dict[str, dict[Key, list[Path]]] = field(default_factory=dict, repr=False)

    def by(self, rule: str) -> dict[Key, list[Path]]:
        """The files by what a rule leaves of their folders and names; {} where it says nothing new."""
        if rule not in self._known:
            self._known[rule] = self._by(rule)
        return self._known[rule]

    def _by(self, rule: str) -> dict[Key, list[Path]]:
        if rule in (BARE, CORE) and self.word:
            return {}
        stems = {file: _without(stem_of(file), self.word) for file in self.places}
        if rule == EQUAL:
            return self._grouped(stems)
        stems = {file: bare_stem(stem) for file, stem in stems.items()}
        if rule != ALONE:
            return self._grouped(_core(stems, self.places) if rule == CORE else stems)
        alone: dict[Key, list[Path]] = defaultdict(list)
        for file, stem in stems.items():
            alone[(), stem].append(file)
        return {key: files for key, files in alone.items() if len(files) == 1}

    def _grouped(self, stems: dict[Path, str]) -> dict[Key, list[Path]]:
        groups: dict[Key, list[Path]] = defaultdict(list)
        for file, stem in stems.items():
            groups[self.places[file], stem].append(file)
        for (place, _), files in list(groups.items()):  # names that differ in capitals are two if both are there
            exact = {file.stem for file in files} if len(files) > 1 else ()
            if exact and len(exact) == len(files) and len({name.casefold() for name in exact}) == 1:
                groups |= {(place, file.stem): [file] for file in files}
        return dict(groups)


def fits(file: Path, given: str) -> bool:
    """Whether a file is in a folder that is given by its path, its name, or a pattern such as "masks/*_mask".

    Several are parted by commas.
    """
    if "," in given:
        return any(fits(file, part) for part in given.split(","))
    if "*" in given:
        names = (f"/{file.as_posix()}", f"/{file.with_suffix('').as_posix()}")
        return any(fnmatch(name.casefold(), f"*/{given.casefold()}") for name in names)
    wanted, parts = Path(given).parts, file.parent.parts
    return any(parts[at : at + len(wanted)] == wanted for at in range(len(parts) + 1 - len(wanted)))


def file_sets(files: Iterable[Path], given: dict[Path, Role]) -> list[FileSet]:
    """All sets of files, the largest first.

    Args:
        files: relative to the data set's folder.
        given: the files whose role is known; others are no masks if some masks are, no pictures if some pictures are.
    """
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        folders[file.parent].append(file)
    sizes: Counter[str] = Counter()
    numbers: dict[str, set[str]] = defaultdict(set)
    for folder, inside in folders.items():
        sizes.update({kind: len(inside) for kind in _kinds(folder)})
        for part in folder.parts:
            kind, _, number = parts_of(part)
            numbers[kind].add(number)
    least = SHARED * sizes[""]
    sets: dict[tuple[str, Role | None], dict[Path, Place]] = defaultdict(dict)
    for folder, inside in folders.items():
        for kind in [kind for kind in _kinds(folder) if sizes[kind] >= least]:
            place = _place(folder, kind, numbers)
            for file in inside:
                sets[kind, given.get(file)][file] = place
    found = [entry for (kind, role), places in sets.items() for entry in _divided(kind, role, places)]
    return sorted(found, key=lambda entry: -len(entry.places))[:MOST_SETS]


def _kinds(folder: Path) -> set[str]:
    return {parts_of(part)[0] for part in folder.parts} | {""}


def _place(folder: Path, kind: str, numbers: dict[str, set[str]]) -> Place:
    """The folders but for the innermost of a kind and those that say a role; of these what they say beside it."""
    parts = folder.parts
    at = max((index for index, part in enumerate(parts) if kind and parts_of(part)[0] == kind), default=-1)
    place = []
    for index, part in enumerate(parts):
        own, split, number = parts_of(part)
        if index == at or (at >= 0 and role_of(part) in (Role.MASK, Role.IMAGE)):
            place.append("-".join(filter(None, (split, number if len(numbers[own]) > 1 else ""))))
        else:
            place.append(part.casefold() if own or number else split)
    return tuple(filter(None, place))


def _divided(kind: str, given: Role | None, places: dict[Path, Place]) -> Iterator[FileSet]:
    """A set of files, its parts by words at the ends of names, and by suffix where names occur twice."""
    folder = next((part for part in reversed(next(iter(places)).parent.parts) if parts_of(part)[0] == kind), "")
    inside = f"{folder}/" if kind else ""
    role = given or role_of_all(places)
    role = _role_of_names(places) if role is Role.UNKNOWN else role
    yield FileSet(inside or "all files", role, places)
    for suffix, part in _by_suffix(places).items():
        yield FileSet(f"{inside}*{suffix}", role if suffix == ".jpg" or role is not Role.IMAGE else Role.UNKNOWN, part)
    for word, (own, part) in _by_words(places).items():
        said = own if own is not Role.UNKNOWN and role is not Role.MASK else role
        yield FileSet(f"{inside}{word}", given or said, part, word)


def role_of_all(files: Iterable[Path]) -> Role:
    """What the folders of most files say; the innermost word decides."""
    roles: Counter[Role] = Counter()
    for folder, count in Counter(file.parent for file in files).items():
        said = [role for part in reversed(folder.parts) if (role := role_of(part)) is not Role.UNKNOWN]
        roles[said[0] if said else Role.UNKNOWN] += count
    role, count = roles.most_common(1)[0]
    return role if count >= MOST * roles.total() else Role.UNKNOWN


def _role_of_names(files: Iterable[Path]) -> Role:
    """MASK where the names of most files say so anywhere: task-3-annotation-7-tag-crack.png."""
    said = [role_of(stem_of(file)) is Role.MASK for file in files]
    return Role.MASK if sum(said) >= MOST * len(said) else Role.UNKNOWN


def _by_suffix(places: dict[Path, Place]) -> dict[str, dict[Path, Place]]:
    """The files of each suffix, where most names occur with several."""
    names = Counter((place, stem_of(file)) for file, place in places.items())
    if 2 * sum(count > 1 for count in names.values()) <= len(names):
        return {}
    parts: dict[str, dict[Path, Place]] = defaultdict(dict)
    for file, place in places.items():
        parts[file.suffix.lower().replace("jpeg", "jpg")][file] = place
    return parts if len(parts) > 1 else {}


def _by_words(places: dict[Path, Place]) -> dict[str, tuple[Role, dict[Path, Place]]]:
    """Files whose names end or begin with one word, where it is known or several have it, with what it says."""
    found: dict[str, tuple[Role, dict[Path, Place]]] = {}
    known = set()
    for file, place in places.items():
        stem = stem_of(file)
        word, role = role_word(stem)
        pattern = (f"*{word}" if stem.endswith(word) else f"{word}*") if word else ""
        if word:
            known.add(pattern)
        elif match := _END.search(stem, 1):
            pattern, role = f"*{match[0]}", role_of(match[0])
        elif match := _BEGIN.match(stem):
            pattern, role = f"{match[0]}*", role_of(match[0])
        elif stem.isalpha():  # 0001/image.png and 0001/mask.png
            pattern, role = stem, role_of(stem)
        if pattern:
            found.setdefault(pattern, (role, {}))[1][file] = place
    least = max(2, SHARED * len(places))
    return {word: entry for word, entry in found.items() if word in known or len(entry[1]) >= least}


def _without(stem: str, word: str) -> str:
    """A name without a word at its end ("*_mask") or beginning ("mask_*"); nothing is left of the word itself."""
    if stem == word:
        return ""
    return (stem.removesuffix(word[1:]) if word.startswith("*") else stem.removeprefix(word[:-1])) or stem


def _core(stems: dict[Path, str], places: dict[Path, Place]) -> dict[Path, str]:
    """Names without what all of one place begin and end with, and without zeros before numbers."""
    together: dict[Place, list[str]] = defaultdict(list)
    for file, stem in stems.items():
        together[places[file]].append(stem)
    ends = {
        place: (_common(names), _common([name[::-1] for name in names])) if len(names) > 1 else (0, 0)
        for place, names in together.items()
    }
    result = {}
    for file, stem in stems.items():
        before, after = ends[places[file]]
        result[file] = re.sub(r"(?<!\d)0+(?=\d)", "", stem[before : len(stem) - after] or stem)
    return result


def _common(names: list[str]) -> int:
    """How many letters all names begin with, without digits at the end, which may belong to numbers."""
    first, last = min(names), max(names)
    length = next((i for i, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
    return len(first[:length].rstrip("0123456789"))
