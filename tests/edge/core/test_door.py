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
