from edge.core.debounce import HOLDS_AFTER_S, Contact, lean, settle
from tests.support.moments import at


def play(levels: list[tuple[float, bool]], until_s: float) -> list[tuple[float, bool]]:
    """Return the changes that count, of a contact that begins inactive."""
    contact, changes = Contact(active=False), []
    for at_s, active in [*levels, (until_s, levels[-1][1])]:
        contact, changed = settle(contact, at_s)
        if changed is not None:
            changes.append((changed.mono_s, contact.active))
        contact = lean(contact, at(at_s), active=active)
    return changes


def test_a_level_that_holds_counts_from_when_it_was_taken() -> None:
    assert play([(1.0, True)], until_s=1.0 + HOLDS_AFTER_S) == [(1.0, True)]
    assert play([(1.0, True)], until_s=1.04) == []


def test_a_bouncing_contact_changes_once() -> None:
    bounces = [(1.0 + step * 0.004, step % 2 == 0) for step in range(11)]
    assert play(bounces, until_s=2.0) == [(1.04, True)]


def test_a_spike_is_nothing() -> None:
    assert play([(1.0, True), (1.02, False)], until_s=2.0) == []


def test_two_changes_seen_late_are_both_told() -> None:
    assert play([(1.0, True), (1.5, False)], until_s=2.0) == [(1.0, True), (1.5, False)]
