"""Levels of a PIR and of a contact, without a clock."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simulators.presence import Pir, bounced, chatter, movements


def test_a_movement_while_the_output_is_high_begins_the_pulse_anew() -> None:
    assert Pir(on_s=2.0, blind_s=1.0).levels([0.0, 1.5]) == [(0.0, True), (3.5, False)]


def test_without_its_jumper_a_pulse_ends_when_it_ends() -> None:
    assert Pir(on_s=2.0, blind_s=1.0, retriggers=False).levels([0.0, 1.5]) == [(0.0, True), (2.0, False)]


def test_a_pir_is_blind_for_a_while_after_its_pulse() -> None:
    levels = Pir(on_s=2.0, blind_s=1.0).levels([0.0, 2.5, 3.0])
    assert levels == [(0.0, True), (2.0, False), (3.0, True), (5.0, False)]


@given(st.lists(st.floats(0, 1000), max_size=50).map(sorted), st.booleans())
def test_a_pir_alternates_and_never_goes_back_in_time(moved: list[float], retriggers: bool) -> None:
    levels = Pir(retriggers=retriggers).levels(moved)
    assert [high for _, high in levels] == [True, False] * (len(levels) // 2)
    assert [at_s for at_s, _ in levels] == sorted(at_s for at_s, _ in levels)


def test_nobody_is_still_for_longer_than_the_stillest() -> None:
    moved = movements(Random(1), 100.0, 4000.0, every_s=60.0, stillest_s=90.0)
    assert moved[0] == 100.0
    assert max(after - before for before, after in itertools.pairwise(moved)) <= 90.001
    assert moved[-1] < 4000.0


def test_a_bounce_ends_at_the_level_it_should() -> None:
    levels = bounced(Random(1), [(1.0, True), (2.0, False)], edges=5)
    assert len(levels) == 10
    assert (levels[4][1], levels[9][1]) == (True, False)
    assert levels[4][0] < 1.05


def test_chatter_has_its_frequency() -> None:
    assert len(chatter(0.0, 0.5, hertz=1000)) == 500
