from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.core.effects import LockStrike, ReleaseStrike
from edge.core.free_access import changes_in_ms, is_free
from edge.core.observations import RightsLoaded, Tick
from edge.core.rights import NOBODY, FreeAccess
from edge.core.site import begin, decide, next_deadline
from edge.core.trusted_time import Judged, TrustedTime
from tests.support.moments import at
from tests.support.plan import PLAN

NINE_MS = at(0).wall_ms
HOUR_MS = 3_600_000
MORNING = FreeAccess("door-01", NINE_MS + HOUR_MS, NINE_MS + 3 * HOUR_MS)
RIGHTS = replace(NOBODY, version=1, free_access=(MORNING,), expires_at_ms=NINE_MS + 24 * HOUR_MS)


def judged(now_ms: int, trusted_ms: int | None = None) -> Judged:
    return Judged(now_ms, now_ms if trusted_ms is None else trusted_ms, "clock")


def test_a_door_is_free_from_the_beginning_to_just_before_the_end() -> None:
    assert [
        is_free(RIGHTS, "door-01", judged(when)) for when in (MORNING.start_ms - 1, MORNING.start_ms, MORNING.end_ms)
    ] == [False, True, False]
    assert not is_free(RIGHTS, "door-02", judged(MORNING.start_ms))


def test_a_time_that_no_clock_confirms_frees_no_door() -> None:
    assert not is_free(RIGHTS, "door-01", replace(judged(MORNING.start_ms), by="high_water"))


def test_an_expired_list_frees_no_door() -> None:
    assert RIGHTS.expires_at_ms is not None
    assert not is_free(RIGHTS, "door-01", judged(MORNING.start_ms, RIGHTS.expires_at_ms))


@given(st.integers(NINE_MS - HOUR_MS, NINE_MS + 30 * HOUR_MS))
def test_nothing_changes_before_the_time_that_is_told(now_ms: int) -> None:
    change_in_ms = changes_in_ms(RIGHTS, "door-01", judged(now_ms))
    until_ms = NINE_MS + 40 * HOUR_MS if change_in_ms is None else now_ms + change_in_ms
    assert until_ms > now_ms
    now = is_free(RIGHTS, "door-01", judged(now_ms))
    assert is_free(RIGHTS, "door-01", judged(until_ms - 1)) == now
    assert is_free(RIGHTS, "door-01", judged((now_ms + until_ms - 1) // 2)) == now


def test_a_site_frees_its_door_in_time_and_locks_it_again() -> None:
    site, _ = begin(PLAN, at(0), "test")
    site, _ = decide(site, RightsLoaded(at(1), RIGHTS, TrustedTime(NINE_MS, 0.0)))
    strikes: list[tuple[str, int]] = []
    while (due_s := next_deadline(site)) < 4 * 3600:
        site, effects = decide(site, Tick(at(due_s)))
        strikes += [
            (type(effect).__name__, round(due_s))
            for effect in effects
            if isinstance(effect, ReleaseStrike | LockStrike)
        ]
    assert strikes[0] == ("ReleaseStrike", 3600)
    assert strikes[-1] == ("LockStrike", 3 * 3600)
    assert {name for name, _ in strikes[:-1]} == {"ReleaseStrike"}
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(strikes)]
    assert max(gaps) < 25


def test_an_event_that_is_called_off_or_announced_while_it_lasts_counts_at_once() -> None:
    now = TrustedTime(MORNING.start_ms, 3600.0)
    site, _ = begin(PLAN, at(3600), "test")
    site, effects = decide(site, RightsLoaded(at(3601), RIGHTS, now))
    assert [type(effect) for effect in effects if isinstance(effect, ReleaseStrike | LockStrike)] == [ReleaseStrike]
    site, effects = decide(site, RightsLoaded(at(3602), replace(RIGHTS, version=2, free_access=()), now))
    assert [type(effect) for effect in effects if isinstance(effect, ReleaseStrike | LockStrike)] == [LockStrike]
