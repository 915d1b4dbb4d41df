from random import Random

import pytest

from edge.link.pauses import MAX_S, MIN_S, STEADY_S, Pauses

HOURS_S = 2 * 3_600.0


def attempts_on(line: Random, *, up_s: float, down_s: float, heard: bool = True) -> int:
    """Return how often a link tries in two hours on a line that is up, then down, each for up to twice so long."""
    pauses, now_s, attempts = Pauses(line.random), 0.0, 0
    is_up, changes_s = True, line.uniform(0, 2 * up_s)
    while now_s < HOURS_S:
        attempts += 1
        begun_s = now_s
        if is_up:
            now_s = max(now_s, changes_s)
        now_s += pauses.after(lasted_s=now_s - begun_s, heard=heard and is_up)
        while changes_s <= now_s:
            is_up = not is_up
            changes_s += max(0.01, line.uniform(0, 2 * (up_s if is_up else down_s)))
    return attempts


@pytest.mark.parametrize("up_s", [0.0, 0.5, 5.0, 20.0, 60.0])
@pytest.mark.parametrize("down_s", [0.0, 2.0, 20.0, 120.0])
def test_no_flapping_line_makes_a_storm(up_s: float, down_s: float) -> None:
    attempts = attempts_on(Random(1), up_s=up_s, down_s=down_s)
    assert attempts <= HOURS_S / 5, "one in five seconds on average"


def test_a_good_connection_that_is_lost_is_soon_made_again() -> None:
    pauses = Pauses(Random(1).random)
    for _ in range(10):
        pauses.after(lasted_s=0.1, heard=False)
    assert pauses.after(lasted_s=max(STEADY_S, 2 * MAX_S), heard=True) == MIN_S


def test_while_nobody_answers_the_pauses_grow_up_to_their_bound() -> None:
    pauses = Pauses(lambda: 1.0)
    found = [pauses.after(lasted_s=0.0, heard=False) for _ in range(8)]
    assert found == [2.0, 4.0, 8.0, 16.0, 32.0, MAX_S, MAX_S, MAX_S]


def test_sites_that_lost_their_broker_together_come_back_apart() -> None:
    found = set()
    for seed in range(100):
        pauses = Pauses(Random(seed).random)
        found.add(round(sum(pauses.after(lasted_s=0.0, heard=False) for _ in range(4)), 1))
    assert len(found) > 50
