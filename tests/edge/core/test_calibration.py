"""Thresholds from two recordings, against energies whose answer is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.calibration import FIRST_STATIC_GATE, GATES, MIN_MARGIN_PCT, OFF_PCT, Energies, propose

QUIET = Energies((5,) * GATES, (0, 0, *(10,) * 7))


def still(*static: tuple[int, int]) -> Energies:
    """Somebody still, who gives these energies at these gates."""
    energies = list(QUIET.static)
    for gate, energy in static:
        energies[gate] = energy
    return Energies(QUIET.moving, tuple(energies))


def test_a_threshold_stands_in_the_middle_and_its_margin_is_the_distance_to_both() -> None:
    proposal = propose([QUIET] * 600, [still((2, 80))] * 600)
    gate = proposal.static[2]
    assert (gate.quiet_pct, gate.seen_pct, gate.threshold_pct, gate.margin_pct) == (10, 80, 45, 35)
    assert (proposal.max_static_gate, proposal.tells) == (2, True)


def test_gates_behind_the_farthest_that_tells_are_switched_off() -> None:
    proposal = propose([QUIET] * 10, [still((2, 80), (4, 60))] * 10)
    assert proposal.max_static_gate == 4
    assert [gate.threshold_pct for gate in proposal.static[5:]] == [OFF_PCT] * 4
    assert proposal.static[3].margin_pct == 0, "between the two, it does not tell"


def test_the_two_nearest_static_gates_are_left_alone() -> None:
    proposal = propose([QUIET] * 10, [still((0, 90), (1, 90))] * 10)
    assert [gate.threshold_pct for gate in proposal.static[:FIRST_STATIC_GATE]] == [0, 0]
    assert not proposal.tells


def test_a_moment_of_stillness_does_not_spoil_a_gate_and_a_noisy_empty_place_does() -> None:
    occupied = [still((2, 80))] * 95 + [QUIET] * 5
    assert propose([QUIET] * 100, occupied).tells
    assert not propose([QUIET] * 99 + [still((2, 79))], occupied).tells


def test_a_recording_without_reports_is_refused() -> None:
    with pytest.raises(ValueError, match="no report with energies"):
        propose([], [QUIET])


ENERGIES = st.builds(
    Energies,
    st.lists(st.integers(0, 100), min_size=GATES, max_size=GATES).map(tuple),
    st.lists(st.integers(0, 100), min_size=GATES, max_size=GATES).map(tuple),
)


@given(st.lists(ENERGIES, min_size=1, max_size=12), st.lists(ENERGIES, min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_gate_with_a_margin_is_never_crossed_by_the_empty_place(
    empty: list[Energies], occupied: list[Energies]
) -> None:
    proposal = propose(empty, occupied)
    for kind, gates in ((0, proposal.moving), (1, proposal.static)):
        for gate, one in enumerate(gates):
            assert 0 <= one.threshold_pct <= OFF_PCT
            if one.margin_pct:
                assert one.margin_pct >= MIN_MARGIN_PCT
                assert max(energies[kind][gate] for energies in empty) + one.margin_pct <= one.threshold_pct
                above = sum(energies[kind][gate] > one.threshold_pct for energies in occupied)
                assert above >= 0.9 * len(occupied) - 1
