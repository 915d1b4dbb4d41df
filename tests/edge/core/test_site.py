from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.events import Event
from edge.core.effects import Effect, LockStrike, Publish, ReleaseStrike, ShowIndicator
from edge.core.observations import (
    Booking,
    BookingsRead,
    ClockJudged,
    CredentialSeen,
    DeviceFailed,
    DeviceReady,
    DisplayRead,
    DoorContactRead,
    ExitPressed,
    NoiseCounted,
    Observation,
    Power,
    PresenceRead,
    RightsLoaded,
    StreamBegan,
    Tick,
)
from edge.core.plan import Plan
from edge.core.rights import Credential, Rights
from edge.core.site import Site, begin, decide, next_deadline
from edge.core.views import devices_of, now_of, rights_of
from tests.support.moments import at
from tests.support.plan import PLAN

HASH = bytes(32)
RIGHTS = Rights(version=3, issued_at_ms=None, expires_at_ms=None, credentials={HASH: Credential("alice", HASH)})


class Bench:
    """A site on a bench: show it what devices see, then read what it ordered."""

    def __init__(self, plan: Plan = PLAN, started_s: float = 0.0) -> None:
        self.site: Site
        self.site, self.effects = begin(plan, at(started_s), "1.0")

    def show(self, *seen: Observation) -> "Bench":
        for one in seen:
            self.site, effects = decide(self.site, one)
            self.effects += effects
        return self

    def orders(self) -> list[Effect]:
        """Return what is not published, in order."""
        return [effect for effect in self.effects if not isinstance(effect, Publish)]

    def events(self, kind: str) -> list[Event]:
        return [effect.event for effect in self.effects if isinstance(effect, Publish) and effect.event.kind == kind]

    def told(self) -> list[str]:
        return [effect.event.kind for effect in self.effects if isinstance(effect, Publish)]


def tap(at_s: float, uid_hash: bytes | None = HASH) -> CredentialSeen:
    return CredentialSeen(at(at_s), "reader-01", uid_hash, None if uid_hash else "random_uid")


def ready(plan: Plan = PLAN) -> Bench:
    """A site with its rights and a closed door, whose first effects are forgotten."""
    bench = Bench(plan).show(RightsLoaded(at(1), RIGHTS), DoorContactRead(at(1), "door-01", closed=True))
    bench.effects = ()
    return bench


def test_the_agent_says_first_that_it_has_started() -> None:
    assert Bench().told() == ["edge_started"]


def test_a_door_without_contact_is_locked_from_the_start() -> None:
    doors = {"door-01": replace(PLAN.doors["door-01"], contact=False)}
    assert Bench(replace(PLAN, doors=doors)).told() == ["edge_started", "door_state_changed"]


def test_a_granted_badge_releases_the_strike_before_all_else() -> None:
    bench = ready().show(tap(5))
    assert bench.effects[:2] == (ReleaseStrike("door-01", 4.0), ShowIndicator("reader-01", "granted"))
    assert bench.told() == ["access_decided", "door_state_changed"]


def test_a_granted_badge_is_kept_with_its_person_and_the_event_without() -> None:
    bench = ready().show(tap(5))
    kept = next(effect for effect in bench.effects if isinstance(effect, Publish))
    assert kept.person == "alice"
    assert "alice" not in kept.event.model_dump_json()


def test_a_refused_badge_is_told_and_opens_nothing() -> None:
    bench = ready().show(tap(5, bytes([1]) * 32), tap(6, None))
    assert bench.orders() == [ShowIndicator("reader-01", "refused")] * 2
    assert [event.value.reason for event in bench.events("access_decided") if event.kind == "access_decided"] == [
        "DENIED_UNKNOWN_CREDENTIAL",
        "DENIED_VERIFICATION_FAILED",
    ]


def test_a_badge_that_was_withdrawn_from_the_list_opens_no_more() -> None:
    empty = replace(RIGHTS, version=4, credentials={})
    bench = ready().show(RightsLoaded(at(4), empty), tap(5))
    assert bench.orders() == [ShowIndicator("reader-01", "refused")]


def test_the_door_locks_as_soon_as_it_opens() -> None:
    bench = ready().show(tap(5), DoorContactRead(at(6), "door-01", closed=False))
    assert bench.orders()[-1] == LockStrike("door-01")


def test_an_exit_is_not_a_break_in() -> None:
    bench = ready().show(ExitPressed(at(100), "door-01"), DoorContactRead(at(101), "door-01", closed=False))
    (event,) = bench.events("door_state_changed")
    assert event.kind == "door_state_changed"
    assert event.value.alarm == "NORMAL"


def test_a_desk_event_carries_the_moment_of_the_first_detection() -> None:
    bench = ready().show(*(PresenceRead(at(10 + step), "desk-01-pin", present=True) for step in range(0, 6, 2)))
    (event,) = bench.events("desk_state_changed")
    assert (event.t, event.up) == (at(10).wall_ms, 10_000)


def test_a_lost_sensor_makes_its_desk_unknown_and_is_told_once() -> None:
    bench = ready().show(*(PresenceRead(at(10 + step), "desk-01-pin", present=True) for step in range(0, 6, 2)))
    bench.effects = ()
    bench.show(*(DeviceFailed(at(20 + step), "desk-01-pin", "unplugged") for step in range(5)))
    assert bench.told() == ["device_lost", "desk_state_changed"]
    assert now_of(bench.site, at(30)).desks[0].state == "unknown"


def test_a_device_that_fails_at_the_start_is_lost_and_its_recovery_says_for_how_long() -> None:
    bench = ready().show(DeviceFailed(at(2), "reader-01", "absent"), DeviceReady(at(62.7), "reader-01"))
    lost, recovered = bench.events("device_lost")[0], bench.events("device_recovered")[0]
    assert lost.kind == "device_lost"
    assert lost.value.fault == "absent"
    assert recovered.kind == "device_recovered"
    assert recovered.value.down_s == 60


def test_a_device_that_was_pulled_out_stays_unplugged_until_something_else_is_wrong_with_it() -> None:
    bench = ready().show(DeviceReady(at(1), "reader-01"), DeviceFailed(at(2), "reader-01", "unplugged"))
    bench.show(DeviceFailed(at(4), "reader-01", "absent"))
    assert [device.fault for device in devices_of(bench.site, at(5)) if device.id == "reader-01"] == ["unplugged"]
    bench.show(DeviceFailed(at(6), "reader-01", "silent"))
    assert [device.fault for device in devices_of(bench.site, at(7)) if device.id == "reader-01"] == ["silent"]


def test_a_device_that_answers_at_the_start_is_no_news() -> None:
    assert ready().show(DeviceReady(at(2), "reader-01"), DeviceReady(at(3), "reader-01")).told() == []


def test_lost_door_pins_make_the_door_unknown() -> None:
    bench = ready().show(DeviceFailed(at(2), "door-01", "refused"))
    assert bench.told() == ["device_lost", "door_state_changed"]
    assert now_of(bench.site, at(3)).doors[0].alarm == "DOOR_FAULT"


def test_noise_is_counted_in_the_health_of_its_device() -> None:
    bench = ready().show(NoiseCounted(at(2), "reader-01", 7), DeviceFailed(at(3), "reader-01", "garbled"))
    health = {device.id: device for device in devices_of(bench.site, at(4))}
    assert (health["reader-01"].noise_count, health["reader-01"].health) == (7, "down")
    assert (health["reader-01"].fault, health["desk-01-pin"].health) == ("garbled", "unknown")


def test_the_agent_says_at_its_interval_that_it_is_alive() -> None:
    bench = ready().show(*(Tick(at(step)) for step in range(10, 1000, 10)))
    assert [event.up for event in bench.events("edge_alive")] == [300_000, 600_000, 900_000]


def test_a_clock_that_becomes_right_is_told_with_the_step() -> None:
    bench = Bench()
    bench.site = replace(bench.site, at=at(0, "unsynced"))
    bench.show(ClockJudged(at(10), step_ms=86_400_000))
    (event,) = bench.events("clock_set")
    assert event.kind == "clock_set"
    assert (event.value.step_ms, event.clock) == (86_400_000, "synced")


@pytest.mark.parametrize(("step_ms", "told"), [(5, 0), (-3_600_000, 1)])
def test_a_right_clock_that_jumps_is_told_and_its_slewing_is_not(step_ms: int, told: int) -> None:
    assert len(ready().show(ClockJudged(at(10), step_ms)).events("clock_set")) == told


def test_an_observation_made_under_the_old_clock_does_not_undo_the_judgement() -> None:
    bench = Bench()
    bench.site = replace(bench.site, at=at(0, "unsynced"))
    bench.show(ClockJudged(at(10), 1_000), DeviceFailed(at(10.1, "unsynced"), "reader-01", "absent"))
    assert bench.events("device_lost")[0].clock == "synced"


def test_a_new_stream_is_told_every_state_from_when_it_is_true() -> None:
    bench = ready().show(*(PresenceRead(at(10 + step), "desk-01-pin", present=True) for step in range(0, 6, 2)))
    bench.effects = ()
    bench.show(StreamBegan(at(15)))
    assert bench.told() == ["door_state_changed", "desk_state_changed", "room_state_changed"]
    assert [event.up for event in bench.events("desk_state_changed")] == [10_000]


def test_the_snapshot_says_since_when_by_the_clock_of_now() -> None:
    bench = ready().show(*(PresenceRead(at(10 + step), "desk-01-pin", present=True) for step in range(0, 6, 2)))
    an_hour_later = replace(at(60), wall_ms=at(60).wall_ms + 3_600_000)
    assert now_of(bench.site, an_hour_later).desks[0].since == at(10).wall_ms + 3_600_000
    assert now_of(bench.site, at(60, "unsynced")).desks[0].since is None


def test_the_health_document_names_the_list_in_force() -> None:
    status = rights_of(ready().site, at(10))
    assert (status.version, status.credentials) == (3, 1)


def test_a_room_follows_its_bookings() -> None:
    bookings = (Booking(at(100).wall_ms, at(200).wall_ms),)
    bench = ready().show(BookingsRead(at(2), "room-01", bookings))
    bench.show(*(PresenceRead(at(second), "room-01-radar", present=False) for second in range(3, 250, 2)))
    states = [event.value.state for event in bench.events("room_state_changed") if event.kind == "room_state_changed"]
    assert states == ["free", "booked", "free"]


moments = st.floats(0, 2000, allow_nan=False).map(lambda seconds: round(seconds, 3))
observations = st.one_of(
    st.builds(lambda s, known: tap(s, HASH if known else None), moments, st.booleans()),
    st.builds(lambda s, present: PresenceRead(at(s), "desk-01-pin", present), moments, st.booleans()),
    st.builds(lambda s, present: PresenceRead(at(s), "room-01-radar", present), moments, st.booleans()),
    st.builds(lambda s, power: DisplayRead(at(s), "room-01", power), moments, st.sampled_from(get_args(Power))),
    st.builds(lambda s, closed: DoorContactRead(at(s), "door-01", closed), moments, st.booleans()),
    st.builds(lambda s: ExitPressed(at(s), "door-01"), moments),
    st.builds(lambda s, name: DeviceFailed(at(s), name, "silent"), moments, st.sampled_from(list(PLAN.devices))),
    st.builds(lambda s, name: DeviceReady(at(s), name), moments, st.sampled_from(list(PLAN.devices))),
    st.builds(lambda s, step_ms: ClockJudged(at(s), step_ms), moments, st.integers(-(10**6), 10**6)),
    st.builds(lambda s: StreamBegan(at(s)), moments),
)


@given(seen=st.lists(observations, max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_is_seen_the_site_stays_sound(seen: list[Observation]) -> None:
    """In any order of moments: no error, deadlines ahead, the strike only for the known badge, losses paired."""
    bench = ready()
    since: dict[str, int] = {}
    for one in seen:
        before = len(bench.effects)
        bench.show(one)
        new = bench.effects[before:]
        granted = isinstance(one, CredentialSeen) and one.uid_hash == HASH
        assert sum(isinstance(effect, ReleaseStrike) for effect in new) == int(granted)
        assert next_deadline(bench.site) > bench.site.at.mono_s
        for effect in new:
            if isinstance(effect, Publish) and effect.event.kind in ("desk_state_changed", "room_state_changed"):
                assert effect.event.up >= since.get(effect.event.subject, 0)
                since[effect.event.subject] = effect.event.up
    for device in PLAN.devices:
        kinds = [
            kind
            for kind in ("device_lost", "device_recovered")
            for event in bench.events(kind)
            if event.subject == device
        ]
        assert kinds.count("device_lost") - kinds.count("device_recovered") in (0, 1)


@given(seen=st.lists(observations, max_size=40), ticks=st.lists(moments, max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_pace_at_which_observations_are_taken_changes_nothing(seen: list[Observation], ticks: list[float]) -> None:
    seen = sorted(seen, key=lambda one: one.at.mono_s)
    looks: list[Observation] = [Tick(at(tick)) for tick in ticks]
    # Repeats of an alarm do follow the pace: a long wait is told once, not for each interval in it.
    plan = replace(PLAN, doors={"door-01": replace(PLAN.doors["door-01"], held_open_s=10_000.0)})
    plain = ready(plan).show(*seen, Tick(at(3000)))
    looked = ready(plan).show(*sorted([*seen, *looks], key=lambda one: one.at.mono_s), Tick(at(3000)))

    def published(bench: Bench, kind: str) -> list[str]:
        return [event.model_dump_json() for event in bench.events(kind)]

    for kind in ("access_decided", "door_state_changed", "desk_state_changed", "room_state_changed", "device_lost"):
        assert published(plain, kind) == published(looked, kind)
