"""An enrolment as the hub sees it: from what an animator asked to how it ended, in words. Pure.

What must stay true here: a badge is in the register only when its telecentre has said that the card is made; one in
doubt keeps its badge id and key until its card is seen again.
Source: docs/passes.md; ADR 0022.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from contract.commands import MAX_COMMAND_LIFE_MS
from contract.events import EnrolmentOutcome

Outcome = EnrolmentOutcome | Literal["unreached"]
"""`unreached` is the hub's own: nothing was sent."""

OUTCOMES: tuple[Outcome, ...] = (*get_args(EnrolmentOutcome), "unreached")

SEND_WITHIN_MS = 10_000
"""A broker or a telecentre that is away for longer than this is sent nothing: nobody waits at a reader for it."""

ANSWER_MS = 20_000
"""After the time of the reader: it ends what it is busy with within 10 s, and the event needs some seconds to come."""


@dataclass(frozen=True, slots=True)
class Enrolling:
    """One enrolment; `badge` is the badge id of a secured badge, None for one of the UID class."""

    site: str
    command: str
    reader: str
    pass_id: str
    credential: str
    badge: str | None
    resume: bool
    window_s: int
    asked_at_ms: int
    sent_at_ms: int | None = None
    cancel_asked_at_ms: int | None = None
    cancel_sent_at_ms: int | None = None
    outcome: Outcome | None = None
    ended_at_ms: int | None = None
    label: str | None = None

    def is_over(self, now_ms: int) -> bool:
        """Return whether its telecentre would have answered by now, were it heard."""
        begun_ms = self.asked_at_ms + SEND_WITHIN_MS if self.sent_at_ms is None else self.sent_at_ms
        return now_ms >= begun_ms + MAX_COMMAND_LIFE_MS + self.window_s * 1000 + ANSWER_MS


_SAID: dict[Outcome, str] = {
    "already_known": "Only a badge that is known already was shown, and nothing was changed. Enrol again, with a new "
    "card.",
    "not_blank": "The card is not as it left the factory, and was left as it is. Take a new card; if it is one whose "
    "enrolment was interrupted, repeat the command that was used then, with --resume.",
    "wrong_kind": "This kind of card cannot be enrolled so, and was left as it is. Take an NTAG 424 DNA; for a DESFire "
    "card that arrived personalised: badge add {pass_id} --badge-id ID.",
    "pulled_away": "The card did not stay, or was not alone, and is still blank. Enrol again, and leave it there until "
    "the light is green.",
    "nobody_came": "No card was shown in time. Enrol again.",
    "cancelled": "The enrolment was cancelled; no card was changed.",
    "refused": "{site} refused: the reader is unknown, down or busy with another enrolment, its clock is not set, or "
    "the site does not take badges by their number. The page of {site} says what is down.",
    "failed": "It is not sure whether the card was made. Show the same card again: {again}",
    "unreached": "{site} was not reached, and nothing was sent. See that the hub runs and that the board shows {site} "
    "online, then enrol again.",
}

_OF_ANOTHER_CARD = (
    "This is another card than the one that was interrupted, and it was left as it is. Show that one with --resume, or "
    "enrol this one without."
)
_OF_A_UID_BADGE: dict[Outcome, str] = {
    "wrong_kind": "This card has no number of its own that could be kept. Take a badge with a fixed number.",
    "failed": "{site} could not store the badge, which opens nothing. Look at its disk, then enrol again.",
}


def sentence(one: Enrolling) -> str:
    """Return how an enrolment ended and what to do, for whoever asked."""
    if one.outcome == "done":
        if one.label is not None:
            return f"Badge {one.label}."
        where = f"badge add PASS --badge-id {one.badge}" if one.badge else "enrol it again for another pass"
        return f"The card was made, and its pass was ended meanwhile: it opens nothing. {where}."
    if one.outcome is None:
        said = "{site} has not answered. If a card was shown, show it again: {again} If none was, enrol again."
    else:
        said = _SAID[one.outcome]
        if one.badge is None:
            said = _OF_A_UID_BADGE.get(one.outcome, said)
        elif one.resume and one.outcome == "not_blank":
            said = _OF_ANOTHER_CARD
    again = f"badge enrol {one.pass_id} --site {one.site} --reader {one.reader} {'--resume' if one.badge else '--uid'}."
    return said.format(site=one.site, pass_id=one.pass_id, again=again)
