"""A contact bounces when it closes or opens: a level counts once it has held, from the moment it was taken."""

from dataclasses import dataclass, replace

from edge.core.moment import Moment

HOLDS_AFTER_S = 0.05
"""Reed contacts and push buttons settle within some milliseconds; a hand does not do anything in 50."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The level that counts, and since when the contact has been leaning to the other one, if it is."""

    active: bool
    leaning: Moment | None = None


def lean(contact: Contact, at: Moment, *, active: bool) -> Contact:
    """Return the contact after an edge, or a look at its level."""
    if active == contact.active:
        return replace(contact, leaning=None)
    return contact if contact.leaning is not None else replace(contact, leaning=at)


def settle(contact: Contact, now_s: float) -> tuple[Contact, Moment | None]:
    """Return the contact at `now_s`, and the moment of its change if the other level has held."""
    if contact.leaning is None or now_s < contact.leaning.mono_s + HOLDS_AFTER_S:
        return contact, None
    return Contact(not contact.active), contact.leaning
