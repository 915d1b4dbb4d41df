from contract.events import DoorStateChanged
from edge.core import door
from edge.core.door import DoorRules, Leaf
from edge.core.effects import Effect, LockStrike, Publish, ReleaseStrike
from tests.support.moments import at

RULES = DoorRules("door-01", pulse_s=4.0, held_open_s=30.0, contact=True)
BARE = DoorRules("door-01", pulse_s=4.0, held_open_s=30.0, contact=False)


def closed() -> Leaf:
    leaf, _ = door.read_contact(door.shut(RULES, at(0)), RULES, at(0), closed=True)
    return leaf


def told(effects: tuple[Effect, ...]) -> list[tuple[str, str, int]]:
    """Return state, alarm and `up` in seconds of every published change."""
    events = [effect.event for effect in effects if isinstance(effect, Publish)]
    return [
        (event.value.state, event.value.alarm, event.up // 1000)
        for event in events
        if isinstance(event, DoorStateChanged)
    ]


def test_the_leaf_is_unknown_until_its_contact_was_read() -> None:
    assert door.shut(RULES, at(0)).state == "unknown"
    assert door.shut(BARE, at(0)).state == "locked"
    assert closed().state == "locked"


def test_a_grant_releases_the_strike_before_anything_is_told() -> None:
    _, effects = door.grant(closed(), RULES, at(10))
    assert effects[0] == ReleaseStrike("door-01", 4.0)
    assert told(effects) == [("unlocked", "NORMAL", 10)]


def test_a_door_that_nobody_opens_locks_when_the_pulse_ends() -> None:
    leaf, _ = door.grant(closed(), RULES, at(10))
    assert door.deadline(leaf) == 14
    leaf, effects = door.elapse(leaf, RULES, at(20))
    assert told(effects) == [("locked", "NORMAL", 14)]
    assert door.deadline(leaf) is None


def test_a_door_without_contact_is_unlocked_for_the_pulse() -> None:
    leaf, effects = door.grant(door.shut(BARE, at(0)), BARE, at(10))
    assert told(effects) == [("unlocked", "NORMAL", 10)]
    assert told(door.elapse(leaf, BARE, at(14))[1]) == [("locked", "NORMAL", 14)]


def test_the_strike_locks_as_soon_as_the_door_opens() -> None:
    leaf, _ = door.grant(closed(), RULES, at(10))
    leaf, effects = door.read_contact(leaf, RULES, at(11), closed=False)
    assert effects[0] == LockStrike("door-01")
    assert told(effects) == [("open", "NORMAL", 11)]
    _, effects = door.read_contact(leaf, RULES, at(13), closed=True)
    assert told(effects) == [("locked", "NORMAL", 13)]


def test_a_second_grant_makes_the_pulse_last_longer() -> None:
    leaf, _ = door.grant(closed(), RULES, at(10))
    leaf, effects = door.grant(leaf, RULES, at(12))
    assert effects == (ReleaseStrike("door-01", 4.0),)
    assert door.deadline(leaf) == 16


def test_a_door_that_opens_without_a_reason_was_forced_until_it_closes() -> None:
    leaf, effects = door.read_contact(closed(), RULES, at(100), closed=False)
    assert told(effects) == [("open", "FORCED_OPEN", 100)]
    _, effects = door.read_contact(leaf, RULES, at(105), closed=True)
    assert told(effects) == [("locked", "NORMAL", 105)]


def test_an_opening_is_excused_for_the_pulse_and_two_seconds_after_a_grant() -> None:
    leaf, _ = door.grant(closed(), RULES, at(100))
    leaf, _ = door.elapse(leaf, RULES, at(106))
    assert told(door.read_contact(leaf, RULES, at(106), closed=False)[1]) == [("open", "NORMAL", 106)]
    assert told(door.read_contact(leaf, RULES, at(106.1), closed=False)[1]) == [("open", "FORCED_OPEN", 106)]


def test_the_exit_button_explains_an_opening_and_does_not_release_the_strike() -> None:
    leaf = door.press_exit(closed(), RULES, at(100))
    assert leaf.state == "locked"
    assert told(door.read_contact(leaf, RULES, at(103), closed=False)[1]) == [("open", "NORMAL", 103)]


def test_a_door_left_open_alarms_and_repeats_until_it_closes() -> None:
    leaf = door.press_exit(closed(), RULES, at(100))
    leaf, _ = door.read_contact(leaf, RULES, at(101), closed=False)
    leaf, effects = door.elapse(leaf, RULES, at(131))
    assert told(effects) == [("open", "DOOR_OPEN_TOO_LONG", 131)]
    leaf, effects = door.elapse(leaf, RULES, at(161))
    assert told(effects) == [("open", "DOOR_OPEN_TOO_LONG", 161)]
    _, effects = door.read_contact(leaf, RULES, at(170), closed=True)
    assert told(effects) == [("locked", "NORMAL", 170)]


def test_a_forced_door_stays_forced_in_its_repeats() -> None:
    leaf, _ = door.read_contact(closed(), RULES, at(100), closed=False)
    assert told(door.elapse(leaf, RULES, at(130))[1]) == [("open", "FORCED_OPEN", 130)]


def test_a_long_sleep_repeats_the_alarm_once() -> None:
    leaf, _ = door.read_contact(closed(), RULES, at(100), closed=False)
    assert len(told(door.elapse(leaf, RULES, at(100_000))[1])) == 1


def test_a_door_found_open_at_the_start_was_not_forced() -> None:
    _, effects = door.read_contact(door.shut(RULES, at(0)), RULES, at(1), closed=False)
    assert told(effects) == [("open", "NORMAL", 1)]


def test_a_cut_contact_wire_does_not_keep_people_out() -> None:
    leaf, _ = door.read_contact(closed(), RULES, at(100), closed=False)
    _, effects = door.grant(leaf, RULES, at(200))
    assert effects == (ReleaseStrike("door-01", 4.0),)


def test_lost_pins_make_the_door_unknown_with_a_fault_and_the_contact_clears_it() -> None:
    leaf, effects = door.fail(closed(), RULES, at(10))
    assert told(effects) == [("unknown", "DOOR_FAULT", 10)]
    leaf, effects = door.recover(leaf, RULES, at(20))
    assert told(effects) == [("unknown", "NORMAL", 20)]
    assert told(door.read_contact(leaf, RULES, at(21), closed=True)[1]) == [("locked", "NORMAL", 21)]


def unused(effects: tuple[Effect, ...]) -> list[bool]:
    events = [effect.event for effect in effects if isinstance(effect, Publish)]
    return [event.value.unused for event in events if isinstance(event, DoorStateChanged)]


def test_a_door_that_was_granted_and_never_opened_says_so_if_it_can_know() -> None:
    leaf, _ = door.grant(closed(), RULES, at(10))
    assert unused(door.elapse(leaf, RULES, at(20))[1]) == [True]
    opened, _ = door.read_contact(leaf, RULES, at(11), closed=False)
    assert unused(door.read_contact(opened, RULES, at(12), closed=True)[1]) == [False]
    bare, _ = door.grant(door.shut(BARE, at(0)), BARE, at(10))
    assert unused(door.elapse(bare, BARE, at(20))[1]) == [False]


# --- Free access --------------------------------------------------------------------------------------------------


def free() -> Leaf:
    leaf, _ = door.set_free(closed(), RULES, at(100), free=True)
    return leaf


def test_a_free_door_is_unlocked_pulse_by_pulse_so_that_it_locks_when_nobody_renews_it() -> None:
    leaf, effects = door.set_free(closed(), RULES, at(100), free=True)
    assert effects[0] == ReleaseStrike("door-01", door.FREE_PULSE_S)
    assert told(effects) == [("unlocked", "FREE_ACCESS", 100)]
    due_s = door.deadline(leaf)
    assert due_s is not None
    assert due_s < 100 + door.FREE_PULSE_S
    leaf, effects = door.elapse(leaf, RULES, at(due_s))
    assert effects == (ReleaseStrike("door-01", door.FREE_PULSE_S),)
    assert len(door.elapse(leaf, RULES, at(100_000))[1]) == 1


def test_nothing_is_forced_or_held_open_while_a_door_is_free() -> None:
    leaf, effects = door.read_contact(free(), RULES, at(200), closed=False)
    assert told(effects) == [("open", "FREE_ACCESS", 200)]
    leaf, effects = door.elapse(leaf, RULES, at(2_000))
    assert told(effects) == []
    assert told(door.read_contact(leaf, RULES, at(2_001), closed=True)[1]) == [("unlocked", "FREE_ACCESS", 2001)]


def test_a_badge_at_a_free_door_does_not_shorten_its_pulse() -> None:
    leaf, effects = door.grant(free(), RULES, at(101))
    assert effects[0] == ReleaseStrike("door-01", door.FREE_PULSE_S)
    _, effects = door.elapse(leaf, RULES, at(106))
    assert told(effects) == []


def test_a_door_locks_when_its_free_time_ends_and_one_left_open_is_told_after_its_time() -> None:
    leaf, effects = door.set_free(free(), RULES, at(200), free=False)
    assert effects[0] == LockStrike("door-01")
    assert told(effects) == [("locked", "NORMAL", 200)]
    assert door.deadline(leaf) is None
    opened, _ = door.read_contact(free(), RULES, at(150), closed=False)
    opened, effects = door.set_free(opened, RULES, at(200), free=False)
    assert told(effects) == [("open", "NORMAL", 200)]
    assert told(door.elapse(opened, RULES, at(231))[1]) == [("open", "DOOR_OPEN_TOO_LONG", 230)]


def test_a_person_who_pulls_the_door_as_its_free_time_ends_forces_nothing() -> None:
    leaf, _ = door.set_free(free(), RULES, at(200), free=False)
    assert told(door.read_contact(leaf, RULES, at(201), closed=False)[1]) == [("open", "NORMAL", 201)]
    assert told(door.read_contact(leaf, RULES, at(203), closed=False)[1]) == [("open", "FORCED_OPEN", 203)]


def test_a_free_door_whose_pins_are_lost_is_free_again_when_they_are_back() -> None:
    leaf, effects = door.fail(free(), RULES, at(150))
    assert told(effects) == [("unknown", "DOOR_FAULT", 150)]
    assert door.set_free(leaf, RULES, at(151), free=True) == (leaf, ())
    leaf, _ = door.recover(leaf, RULES, at(160))
    leaf, _ = door.read_contact(leaf, RULES, at(160), closed=True)
    assert told(door.set_free(leaf, RULES, at(160), free=True)[1]) == [("unlocked", "FREE_ACCESS", 160)]
