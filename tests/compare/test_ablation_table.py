"""The ablation table from outcomes given by hand."""

import math
from pathlib import Path

import PIL.Image
import pytest

from segnext.compare.ablation import Outcome
from segnext.compare.ablation_plot import draw
from segnext.compare.ablation_table import lines, markdown, to_dict
from segnext.compare.contest import Budget
from segnext.errors import SegNextError
from segnext.model.ablations import FULL, GROUPS, NAMES, chosen
from segnext.model.config import ablations, preset


def outcome(*mious: float, failure: str = "") -> Outcome:
    return Outcome(mious, 100, 0.25, 4_230_000, 6_400_000_000, failure)


@pytest.fixture
def outcomes() -> dict[str, Outcome]:
    return {
        "full": outcome(0.40, 0.42),
        "strip-7": outcome(0.37, 0.39),
        "lka": outcome(0.43, 0.43),
        "cc": Outcome((), 100, math.nan, 0, 0, "the loss is nan at step 7"),
    }


def test_every_row_is_a_network_that_can_be_built() -> None:
    for row in (row for rows in GROUPS.values() for row in rows):
        changes = {name: getattr(row.architecture, name) for name in ablations(row.architecture)}
        assert bool(changes) == (row.name != "full")
        preset("segnext_t", **changes).check()
    assert all("full" in {row.name for row in rows} for rows in GROUPS.values())
    assert len(NAMES) == 8 + 1 + 6 + 6


def test_the_papers_values() -> None:
    paper = {(group, row.name): (row.miou, row.model) for group, rows in GROUPS.items() for row in rows}
    expected = {"strip-7": 39.6, "strip-11": 39.7, "strip-21": 40.0, "no-mix": 39.1, "no-gate": 40.5, "full": 41.1}
    assert {name: paper["msca", name] for name in expected} == {name: (miou, "T") for name, miou in expected.items()}
    expected = {"mlp": 40.3, "aspp": 30.9, "full": 41.1, "stage-1": 40.7}
    assert {name: paper["decoder", name] for name in expected} == {name: (miou, "T") for name, miou in expected.items()}
    expected = {"cc": 47.3, "ema": 48.0, "nl": 48.6, "full": 48.5}
    assert {name: paper["context", name] for name in expected} == {name: (miou, "B") for name, miou in expected.items()}


def test_rows_and_groups_are_chosen_by_name() -> None:
    assert [row.name for row in chosen("no-gate, strip-7")] == ["full", "strip-7", "no-gate"]
    assert {row.name for row in chosen("context")} == {row.name for row in GROUPS["context"]}
    assert chosen(None)[0] == FULL
    assert len(chosen(None)) == len(NAMES)
    with pytest.raises(SegNextError, match="no row or group 'strips' in the ablation table; did you mean no-strips"):
        chosen("full,strips")
    with pytest.raises(SegNextError, match="nothing to compare 'full' with"):
        chosen("full")


def test_gains_are_over_the_full_network_of_the_group(outcomes: dict[str, Outcome]) -> None:
    found = dict(lines(outcomes))
    assert list(found) == ["msca", "context"]
    strip, lka, full = found["msca"]
    assert (strip.row.name, lka.row.name, full.row.name) == ("strip-7", "lka", "full")
    assert strip.miou == pytest.approx(38)
    assert strip.spread == pytest.approx(math.sqrt(2))
    assert strip.gain == pytest.approx(-3)
    assert strip.paper_gain == pytest.approx(39.6 - 41.1)
    assert lka.gain == pytest.approx(2)
    assert lka.paper_gain is None
    assert found["context"][0].paper_gain == pytest.approx(47.3 - 48.5)


def test_the_tables_as_markdown(outcomes: dict[str, Outcome]) -> None:
    text = markdown(outcomes, "tiny on toy")
    assert text.startswith("# Ablation\n\ntiny on toy\n")
    assert (
        "| strips of 7 alone (`strip-7`) | 38.00 ± 1.41 | -3.00 | 39.6 (T) | -1.5 | 4.23 | 6.40 | 0.25 | 100 |\n"
        in text
    )
    assert "(`lka`) | 43.00 ± 0.00 | +2.00 |  |  | 4.23 |" in text
    assert "(`full`) | 41.00 ± 1.41 |  | 48.5 (B) |  |" in text
    assert "(`cc`) | failed |  | 47.3 (B) | -1.2 |  |  |  | 100 |" in text
    assert text.endswith("Not done:\n\n- cc: the loss is nan at step 7\n")
    assert "Decoder" not in text


def test_the_same_for_programs(outcomes: dict[str, Outcome]) -> None:
    content = to_dict(outcomes, {"seeds": 2})
    assert content["seeds"] == 2
    strip = content["groups"]["msca"][0]
    assert strip["miou"] == pytest.approx(0.38)
    assert strip["miou_of_seeds"] == [0.37, 0.39]
    assert (strip["paper_miou"], strip["paper_gain"]) == (0.396, -0.015)
    assert content["groups"]["context"][0]["miou"] is None
    assert content["groups"]["context"][0]["failure"] == "the loss is nan at step 7"


def test_the_plot_leaves_out_what_failed(outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    draw(outcomes, "tiny on toy", tmp_path / "with.png")
    draw({name: outcomes[name] for name in ("full", "strip-7")}, "tiny on toy", tmp_path / "less.png")
    with PIL.Image.open(tmp_path / "with.png") as both, PIL.Image.open(tmp_path / "less.png") as one:
        assert both.width == one.width
        assert both.height > one.height
    draw({"full": outcomes["full"]}, "tiny on toy", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(("seconds", "seeds"), [(0.0, 1), (None, 0)])
def test_empty_budgets_are_refused(seconds: float | None, seeds: int) -> None:
    with pytest.raises(SegNextError, match="must be"):
        Budget(seconds, seeds)
