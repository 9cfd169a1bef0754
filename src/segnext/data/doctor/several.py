"""Findings about pictures that have several masks: of objects, of classes, or of several people."""

from collections.abc import Iterator

from segnext.data.doctor.advice import SAME, command, full_import, import_command
from segnext.data.doctor.case import Case
from segnext.data.doctor.encoding import Encoding
from segnext.data.doctor.findings import Finding, found
from segnext.data.formats.objects import class_names, folder_names
from segnext.words import counted, listed

MOST_CLASSES = 20  # folders beyond are rather scenes


def judge_several(case: Case, encoding: Encoding) -> Iterator[Finding]:
    """Everything about masks beside the one that each picture has."""
    pairing = case.survey.pairing
    known = {mask for parts in pairing.several.values() for _, mask in parts}
    if pairing.choices:
        yield _choice(case, encoding)
        return
    if pairing.several:
        names = class_names(pairing.groups)
        same, fix = case.agreed > SAME, full_import(case, encoding)
        kind = "mask-per-person" if same else "mask-per-class" if names else "mask-per-object"
        pictures = counted(len(pairing.several), "picture")
        yield found(kind, sorted(known), pictures=pictures, classes=listed(names), same=f"{case.agreed:.2f}", fix=fix)
    names = folder_names(pairing.groups) if encoding.kind == "binary" and not pairing.several else []
    if 1 < len(names) <= MOST_CLASSES:
        fix = import_command(case, "objects")
        yield found("class-per-folder", [], len(names), folders=listed(names), fix=fix)
    if more := [mask for mask in pairing.many_masks if mask not in known]:
        yield found("several-masks", more)


def _choice(case: Case, encoding: Encoding) -> Finding:
    """Folders of masks that fit the same pictures."""
    choices = case.survey.pairing.choices
    (chosen, most), *others = choices
    names = listed(name for name, _ in choices)
    alike = all(count == most for _, count in others)
    fit = (
        f"each fit {most} of {most} pictures: {names}"
        if alike
        else ("fit the same pictures: " + listed(f"{name} ({count})" for name, count in choices))
    )
    checks = (command("check", case.survey.root, "--masks", name.rstrip("/")) for name, _ in others)
    return found(
        "mask-choice",
        case.survey.pairing.many_masks,
        len(choices),
        fit=fit,
        chosen=chosen,
        others="\n".join(checks),
        fix=full_import(case, encoding),
    )
