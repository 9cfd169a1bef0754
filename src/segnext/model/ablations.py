"""The paper's ablations, and a few beside them: what is changed, and what the paper says it gives."""

from dataclasses import dataclass, field, replace

from segnext.choices import meant
from segnext.errors import SegNextError
from segnext.model.config import Architecture


@dataclass(frozen=True)
class Row:
    """A line of an ablation table.

    Attributes:
        name: short, for commands and folders; rows of one name are one network.
        title: what is changed, for people.
        architecture: the network.
        miou: single scale on ADE20K in %, where the paper has it.
        model: the size that the paper measured, "T" or "B".
        giga: multiply-adds in 1e9 at 512 x 512, where the paper gives them.
    """

    name: str
    title: str
    architecture: Architecture = field(default_factory=Architecture)
    miou: float | None = None
    model: str = "T"
    giga: float | None = None


FULL = Row("full", "full: three strips, 1x1, attention", miou=41.1, giga=6.6)

# Each group is compared with the row "full" in it. Of (b), which CNN head it was the paper does not say.
GROUPS: dict[str, tuple[Row, ...]] = {
    "msca": (
        Row("strip-7", "strips of 7 alone", Architecture(strips=(7,)), 39.6),
        Row("strip-11", "strips of 11 alone", Architecture(strips=(11,)), 39.7),
        Row("strip-21", "strips of 21 alone", Architecture(strips=(21,)), 40.0),
        Row("no-strips", "without strips, the 5x5 alone", Architecture(strips=())),
        Row("no-mix", "without the 1x1 convolution", Architecture(mix=False), 39.1),
        Row("no-gate", "without attention: the map is not multiplied", Architecture(gate=False), 40.5),
        Row("square-21", "one full 21 x 21 kernel in place of the strips", Architecture(strips=(), square=21)),
        Row("lka", "VAN's large kernel attention", Architecture(lka=True)),
        FULL,
    ),
    "decoder": (
        Row("mlp", "(a) MLP, stages 1-4", Architecture(decoder="mlp"), 40.3, giga=10.0),
        Row("aspp", "(b) CNN: ASPP", Architecture(decoder="aspp"), 30.9, giga=4.9),
        Row("psp", "(b) CNN: PSP", Architecture(decoder="psp"), 30.9, giga=4.9),
        Row("danet", "(b) CNN: DANet", Architecture(decoder="danet"), 30.9, giga=4.9),
        replace(FULL, title="(c) Ham, stages 2-4"),
        Row("stage-1", "(c) Ham, stages 1-4", Architecture(stages=(1, 2, 3, 4)), 40.7, giga=12.1),
        Row("refine", "(c) Ham, stages 2-4, logits corrected at 1/4", Architecture(refine=64)),
    ),
    "context": (
        Row("cc", "criss-cross attention", Architecture(context="cc"), 47.3, "B"),
        Row("ema", "expectation-maximisation attention", Architecture(context="ema"), 48.0, "B"),
        Row("nl", "non-local", Architecture(context="nl"), 48.6, "B"),
        replace(FULL, title="Hamburger: NMF", miou=48.5, model="B", giga=None),
        Row("vq", "Hamburger: vector quantisation", Architecture(context="vq"), None, "B"),
        Row("cd", "Hamburger: concept decomposition", Architecture(context="cd"), None, "B"),
        Row("one-step", "Hamburger: NMF, one-step gradient", Architecture(one_step_gradient=True), None, "B"),
    ),
}
NAMES: tuple[str, ...] = tuple(dict.fromkeys(row.name for rows in GROUPS.values() for row in rows))


def chosen(names: str | None) -> list[Row]:
    """The networks that a comma-separated list of rows and groups names, "full" first; None names all.

    Raises:
        SegNextError: for a name that is neither.
    """
    wanted = {"full"}
    for name in names.split(",") if names is not None else GROUPS:
        if name.strip() not in GROUPS and name.strip() not in NAMES:
            raise SegNextError(
                f"there is no row or group '{name.strip()}' in the ablation table; {meant(name, (*GROUPS, *NAMES))}"
            )
        wanted |= {row.name for row in GROUPS.get(name.strip(), ())} or {name.strip()}
    if wanted == {"full"}:
        raise SegNextError("there is nothing to compare 'full' with; name other rows too")
    rows = {row.name: row for group in GROUPS.values() for row in group if row.name in wanted}
    return [FULL, *(row for name, row in rows.items() if name != "full")]
