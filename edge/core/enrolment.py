"""Enrolment at a reader: which command waits for a new badge, until when, and how it ended.

What must stay true here: every command ends once, and only when its reader can make no badge of it any more, so the
reader is asked to stop and answers; a badge whose making is in doubt ends as `failed`, and the hub keeps its id and
key; a known badge opens its door as if nobody waited.
Source: docs/badges.md, docs/decisions/0022.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from contract.commands import MAX_COMMAND_LIFE_MS, CancelEnrolment, Command, EnrolSecured
from contract.events import Enrolment, EnrolmentEnded, EnrolmentOutcome
from edge.core.effects import AwaitBadge, Effect, KeepUidBadge, Pattern, Publish, ShowIndicator, StopAwaiting
from edge.core.moment import Moment
from edge.core.observations import CardTried, CredentialSeen, EnrolmentAsked, EnrolmentStopped, Stop, UidBadgeKept
from edge.core.plan import Plan
from edge.core.trusted_time import Judged

ANSWER_WITHIN_S = 10.0
"""A reader that is asked to stop answers at its next look, 3 s later when it is busy with a card; a disk that stores a
badge of the UID class pauses for some seconds. What has not answered by then is in doubt."""

CommandRefusal = Literal["seen", "life", "expired", "no_clock", "before_start", "early"]
"""Why a command of our hub is not obeyed. `no_clock`: nobody here knows what time it is."""

_LIGHTS: dict[EnrolmentOutcome, Pattern] = {
    "done": "granted",
    "not_blank": "refused",
    "wrong_kind": "refused",
    "pulled_away": "refused",
    "failed": "refused",
}
"""What is shown at the end to whoever stands there; after the others nobody does, and the light goes out."""

_WEIGHTS: tuple[EnrolmentOutcome, ...] = ("nobody_came", "already_known", "pulled_away", "failed")
"""What the end of the time is called: the weightiest of what was seen meanwhile."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One reader that waits for a new badge; `credential` is set for one of the UID class.

    `told` is how it ends if nothing else happens; once `stopping_until_s` is set, it ends with the reader's answer.
    """

    command: str
    credential: str | None
    until_s: float
    told: EnrolmentOutcome = "nobody_came"
    stopping_until_s: float | None = None
    keeping: bool = False


Readers = Mapping[str, Waiting]
Seen = EnrolmentAsked | CardTried | EnrolmentStopped | UidBadgeKept | Stop
Step = tuple[Readers, tuple[Effect, ...]]


def judge_command(command: Command, time: Judged, started_ms: int, seen: Container[str]) -> CommandRefusal | None:
    """Return why a command is not obeyed, or None; `started_ms` is when this agent started, by the present clock.

    A command that has surely expired is that, whatever the clock: the trusted time is never ahead.
    """
    reasons: tuple[tuple[CommandRefusal, bool], ...] = (
        ("seen", command.id in seen),
        ("life", not 0 < command.expires_at - command.issued_at <= MAX_COMMAND_LIFE_MS),
        ("expired", command.expires_at <= time.trusted_ms),
        ("no_clock", time.by != "clock"),
        ("before_start", command.issued_at < started_ms),
        ("expired", command.expires_at <= time.now_ms),
        ("early", command.issued_at > time.now_ms + MAX_COMMAND_LIFE_MS),
    )
    return next((reason for reason, holds in reasons if holds), None)


def take(readers: Readers, seen: Seen, at: Moment, plan: Plan, lost: Container[str]) -> Step:
    """Return who waits after an observation, and what is to be done; `lost` are the readers that do not answer."""
    match seen:
        case EnrolmentAsked():
            return _asked(readers, seen, at, plan, lost)
        case CardTried():
            return _card_tried(readers, seen, at, lost)
        case EnrolmentStopped():
            return _stopped(readers, seen, at)
        case UidBadgeKept():
            return _uid_badge_kept(readers, seen, at)
        case Stop():
            return _end_all(readers, at)


def _asked(readers: Readers, asked: EnrolmentAsked, at: Moment, plan: Plan, lost: Container[str]) -> Step:
    """Begin to wait, or refuse at once; or stop waiting."""
    reader, waiting = asked.order.reader, readers.get(asked.order.reader)
    if isinstance(asked.order, CancelEnrolment):
        return (readers, ()) if waiting is None else _stop(readers, reader, "cancelled", at, lost)
    possible = reader in plan.readers and (plan.uid_badges or isinstance(asked.order, EnrolSecured))
    if not possible or reader in lost or waiting is not None or not asked.timely:
        return readers, (_ended(reader, asked.command, "refused", at),)
    order, until_s = asked.order, at.mono_s + asked.order.window_s
    shown = ShowIndicator(reader, "wait")
    if isinstance(order, EnrolSecured):
        secret = bytes.fromhex(order.badge), bytes.fromhex(order.key)
        begun = AwaitBadge(reader, asked.command, *secret, resume=order.resume)
        return {**readers, reader: Waiting(asked.command, None, until_s)}, (begun, shown)
    return {**readers, reader: Waiting(asked.command, order.credential, until_s)}, (shown,)


def presented(
    readers: Readers, seen: CredentialSeen, at: Moment, lost: Container[str], *, known: bool
) -> tuple[Readers, tuple[Effect, ...] | None]:
    """Return who waits after a card was presented and what is to be done; None where the door decides as always.

    `known`: the card is, or claims to be, a badge of the list. It ends nothing.
    """
    waiting = readers.get(seen.reader)
    if waiting is None or known or seen.refusal == "late":
        proven = waiting is not None and known and seen.refusal is None
        return _noted(readers, seen.reader, "already_known") if proven else readers, None
    if seen.refusal in ("pulled_away", "unreadable", "two_cards"):
        shown = ShowIndicator(seen.reader, "refused" if seen.refusal == "two_cards" else "come_nearer")
        return _noted(readers, seen.reader, "pulled_away"), (shown,)
    if waiting.stopping_until_s is not None or waiting.keeping:
        return readers, ()
    if waiting.credential is not None and seen.uid_hash is not None:
        kept = replace(waiting, keeping=True)
        return {**readers, seen.reader: kept}, (KeepUidBadge(waiting.credential, seen.uid_hash),)
    return _wrong_card(readers, seen.reader, "wrong_kind", at, lost)


def _card_tried(readers: Readers, seen: CardTried, at: Moment, lost: Container[str]) -> Step:
    """Take what came of a card that the reader tried to make a badge of."""
    waiting = readers.get(seen.reader)
    if waiting is None or waiting.command != seen.command:
        return readers, ()
    match seen.result:
        case "done":
            return _end(readers, seen.reader, "done", at, show=True)
        case "already_ours":
            return _noted(readers, seen.reader, "already_known"), ()
        case "pulled_away" | "uncertain":
            told: EnrolmentOutcome = "pulled_away" if seen.result == "pulled_away" else "failed"
            return _noted(readers, seen.reader, told), (ShowIndicator(seen.reader, "come_nearer"),)
        case "not_blank":
            return _wrong_card(readers, seen.reader, "not_blank", at, lost)
        case "wrong_application":
            return _wrong_card(readers, seen.reader, "wrong_kind", at, lost)


def _uid_badge_kept(readers: Readers, seen: UidBadgeKept, at: Moment) -> Step:
    """End with what the disk says: a badge of the UID class is one when it is stored."""
    for reader, waiting in readers.items():
        if waiting.keeping and waiting.credential == seen.credential:
            return _end(readers, reader, "done" if seen.stored else "failed", at, show=True)
    return readers, ()


def _stopped(readers: Readers, seen: EnrolmentStopped, at: Moment) -> Step:
    """End a command whose reader has stopped waiting."""
    waiting = readers.get(seen.reader)
    if waiting is None or waiting.command != seen.command or waiting.stopping_until_s is None:
        return readers, ()
    return _end(readers, seen.reader, waiting.told, at)


def reader_lost(readers: Readers, reader: str, at: Moment) -> Step:
    """End a command that was only waiting for the answer of a reader: one that is lost is busy with no card."""
    waiting = readers.get(reader)
    if waiting is None or waiting.stopping_until_s is None or waiting.keeping:
        return readers, ()
    return _end(readers, reader, waiting.told, at)


def elapse(readers: Readers, at: Moment, lost: Container[str]) -> Step:
    """Stop what has waited its time, and end what was asked to stop and does not answer; `lost` as in `take`."""
    effects: list[Effect] = []
    for reader, waiting in list(readers.items()):
        done: tuple[Effect, ...] = ()
        if waiting.stopping_until_s is None and waiting.until_s <= at.mono_s:
            readers, done = _stop(readers, reader, waiting.told, at, lost)
        elif waiting.stopping_until_s is not None and waiting.stopping_until_s <= at.mono_s:
            readers, done = _end(readers, reader, "failed", at)
        effects += done
    return readers, tuple(effects)


def deadlines(readers: Readers) -> list[float]:
    """Return when something happens by itself, on the monotonic clock."""
    return [
        waiting.until_s if waiting.stopping_until_s is None else waiting.stopping_until_s
        for waiting in readers.values()
    ]


def _end_all(readers: Readers, at: Moment) -> Step:
    """End every command because the agent stops: a card may be at a reader just now, so each is in doubt."""
    effects: list[Effect] = []
    for reader in list(readers):
        readers, done = _end(readers, reader, "failed", at)
        effects += done
    return readers, tuple(effects)


def _noted(readers: Readers, reader: str, seen: EnrolmentOutcome) -> Readers:
    waiting = readers[reader]
    if waiting.told not in _WEIGHTS or _WEIGHTS.index(seen) <= _WEIGHTS.index(waiting.told):
        # Only a doubt is weightier than an end that is already certain.
        return readers if seen != "failed" else {**readers, reader: replace(waiting, told="failed")}
    return {**readers, reader: replace(waiting, told=seen)}


def _wrong_card(readers: Readers, reader: str, outcome: EnrolmentOutcome, at: Moment, lost: Container[str]) -> Step:
    """Stop because of a card that cannot be made a badge; with one in doubt go on waiting for that one alone."""
    if readers[reader].told == "failed":
        return readers, (ShowIndicator(reader, "refused"),)
    return _stop(readers, reader, outcome, at, lost)


def _stop(readers: Readers, reader: str, outcome: EnrolmentOutcome, at: Moment, lost: Container[str]) -> Step:
    """Ask the reader to stop; where nothing can be under way, that is the end."""
    waiting = readers[reader]
    if waiting.stopping_until_s is not None:
        return readers, ()
    told = "failed" if waiting.told == "failed" else outcome
    waiting = replace(waiting, told=told, stopping_until_s=at.mono_s + ANSWER_WITHIN_S)
    readers = {**readers, reader: waiting}
    asked = (StopAwaiting(reader, waiting.command),) if waiting.credential is None else ()
    at_once = not waiting.keeping and (reader in lost or waiting.credential is not None)
    readers, ended = _end(readers, reader, told, at) if at_once else (readers, ())
    return readers, (*asked, *_lights(reader, told), *ended)


def _end(readers: Readers, reader: str, outcome: EnrolmentOutcome, at: Moment, *, show: bool = False) -> Step:
    left = {name: waiting for name, waiting in readers.items() if name != reader}
    waiting = readers[reader]
    shown = _lights(reader, outcome) if show or waiting.stopping_until_s is None else ()
    return left, (*shown, _ended(reader, waiting.command, outcome, at))


def _lights(reader: str, outcome: EnrolmentOutcome) -> tuple[ShowIndicator, ...]:
    waits_no_more = ShowIndicator(reader, "idle")
    return (waits_no_more, ShowIndicator(reader, _LIGHTS[outcome])) if outcome in _LIGHTS else (waits_no_more,)


def _ended(reader: str, command: str, outcome: EnrolmentOutcome, at: Moment) -> Publish:
    value = Enrolment(command=command, outcome=outcome)
    return Publish(EnrolmentEnded(subject=reader, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms))
