"""The colours of the stylesheet, measured: WCAG 2.1 asks 4.5 for text and 3 for shapes and borders."""

import re
from importlib.resources import files

import pytest

SHEET = files("hub").joinpath("static/board.css").read_text("utf-8")
ON_PAPER = ("ink", "muted", "accent", "free", "busy", "unknown")
TEXT_CONTRAST = 4.5
BORDER_CONTRAST = 2.95
"""WCAG's 3, as two digits of the palette's line colour give it on paper (look, 5)."""


def palettes() -> list[dict[str, str]]:
    """Return the colour names of each `:root` block that sets them: light, dark by system, dark by choice, print."""
    blocks = re.findall(r":root[^{]*\{([^}]*--paper[^}]*)\}", SHEET)
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block)) for block in blocks]


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.1."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_black_on_white_is_twenty_one() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


def test_there_are_four_palettes_and_both_dark_ones_are_the_same() -> None:
    light, by_system, by_choice, sheet = palettes()
    assert by_system == by_choice
    assert light["ink"] == sheet["ink"]


@pytest.mark.parametrize("palette", range(4))
def test_every_text_can_be_read_on_its_ground(palette: int) -> None:
    colours = palettes()[palette]
    pairs = [(name, ground) for name in ON_PAPER for ground in ("paper", "card")]
    pairs += [("stale", "stale-ground"), ("alarm", "alarm-ground"), ("ink", "stale-ground")]
    weak = [pair for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < TEXT_CONTRAST]
    assert weak == []


@pytest.mark.parametrize("palette", range(4))
def test_a_border_can_be_seen(palette: int) -> None:
    colours = palettes()[palette]
    assert contrast(colours["line"], colours["card"]) >= BORDER_CONTRAST


def test_colours_are_named_once_and_used_by_name() -> None:
    rules = re.sub(r":root[^{]*\{[^}]*\}", "", SHEET)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?!-)(?=[;\s,)])", rules) == []
