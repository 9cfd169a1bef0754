"""The options that say how pictures are looked at."""

import argparse

import pytest

from segnext.cli.options import add_testing, chosen_testing
from segnext.inference.testing import PAPER_SCALES, WHOLE, Testing


def parse(*arguments: str) -> Testing:
    parser = argparse.ArgumentParser()
    add_testing(parser)
    return chosen_testing(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", WHOLE),
        ("--slide 1024 768", Testing(slide=(1024, 768))),
        ("--scales 0.75 1", Testing(scales=(0.75, 1.0))),
        ("--flip", Testing(flip=True)),
        ("--tta", Testing(scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75), flip=True)),
        ("--tta --scales 1 1.5", Testing(scales=(1.0, 1.5), flip=True)),
        ("--resize multiple --short-side 512", Testing(resize="multiple", short_side=512)),
        ("--long-side 520", Testing(long_side=520)),
        ("--tta --slide 64 32", Testing((64, 32), PAPER_SCALES, True)),
    ],
)
def test_options(arguments: str, expected: Testing) -> None:
    assert parse(*arguments.split()) == expected


@pytest.mark.parametrize("arguments", ["--slide 64", "--scales", "--scales large", "--resize crop"])
def test_wrong_use(arguments: str) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments.split())
