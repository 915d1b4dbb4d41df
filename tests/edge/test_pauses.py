from random import Random

import pytest

from edge.link.pauses import MAX_S, MIN_S, STEADY_S, Pauses

HOURS_S = 2 * 3_600.0
SPREAD_S = 30.0


def attempts_on(line: Random, *, up_s: float, down_s: float, heard: bool = True) -> int:
    """Return how often a link tries in two hours on a line that is up, then down, each for up to twice so long."""
    pauses, now_s, attempts = Pauses(line.random, spread_s=SPREAD_S), 0.0, 0
    is_up, changes_s = True, line.uniform(0, 2 * up_s)
    while now_s < HOURS_S:
        attempts += 1
        begun_s = now_s
        if is_up:
            now_s = max(now_s, changes_s)
        now_s += pauses.after(lasted_s=now_s - begun_s, heard=heard and is_up, closed=line.random() < 0.5)
        while changes_s <= now_s:
            is_up = not is_up
            changes_s += max(0.01, line.uniform(0, 2 * (up_s if is_up else down_s)))
    return attempts


@pytest.mark.parametrize("up_s", [0.0, 0.5, 5.0, 20.0, 60.0])
@pytest.mark.parametrize("down_s", [0.0, 2.0, 20.0, 120.0])
def test_no_flapping_line_makes_a_storm(up_s: float, down_s: float) -> None:
    attempts = attempts_on(Random(1), up_s=up_s, down_s=down_s)
    assert attempts <= HOURS_S / 5, "one in five seconds on average"


def good() -> float:
    """Return for how long a connection lasts that is a good one after any failures."""
    return max(STEADY_S, 2 * MAX_S)


def test_a_line_that_fell_silent_after_a_good_connection_is_soon_tried_again() -> None:
    pauses = Pauses(Random(1).random, spread_s=SPREAD_S)
    for _ in range(10):
        pauses.after(lasted_s=0.1, heard=False, closed=True)
    assert pauses.after(lasted_s=good(), heard=True, closed=False) == MIN_S


def test_sites_whose_broker_closed_their_good_connections_come_back_over_the_whole_spread() -> None:
    found = [
        Pauses(Random(seed).random, spread_s=SPREAD_S).after(lasted_s=good(), heard=True, closed=True)
        for seed in range(4_072)
    ]
    assert MIN_S <= min(found) <= max(found) < MIN_S + SPREAD_S
    for second in range(30):
        at_once = sum(MIN_S + second <= pause < MIN_S + second + 1 for pause in found)
        assert at_once < 350 / 2, "a core makes 350 TLS handshakes a second (docs/campaign.md)"


def test_a_broker_that_stays_away_is_asked_by_doubling_pauses_after_the_first() -> None:
    pauses = Pauses(lambda: 1.0, spread_s=SPREAD_S)
    found = [pauses.after(lasted_s=good(), heard=True, closed=True)]
    found += [pauses.after(lasted_s=0.0, heard=False, closed=True) for _ in range(7)]
    assert found == [MIN_S + SPREAD_S, 2.0, 4.0, 8.0, 16.0, 32.0, MAX_S, MAX_S]


def test_sites_whose_broker_stays_away_come_back_apart() -> None:
    found = set()
    for seed in range(100):
        pauses = Pauses(Random(seed).random, spread_s=0.0)
        found.add(round(sum(pauses.after(lasted_s=0.0, heard=False, closed=True) for _ in range(4)), 1))
    assert len(found) > 50
