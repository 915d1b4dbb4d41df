"""What is remembered of one reader between two badges: failed attempts, and who was let in a moment ago.

A reader that sees many cards which fail to prove what they claim takes a pause: whoever tries keys, clones or relays
gets few tries a minute. A card held badly, or pulled away, is no attempt. Passback is told and never acted upon: nobody
is locked in or out by a door that was held open for a colleague.
"""

from dataclasses import dataclass, field, replace

from contract.events import AccessReason

MAX_ADMITTED = 200
"""Badges remembered for passback: more than a door lets in within its time."""

ATTEMPTS = frozenset({"DENIED_VERIFICATION_FAILED", "DENIED_UNKNOWN_CREDENTIAL"})
"""The refusals that a person with a badge of their own does not meet again and again."""


@dataclass(frozen=True, slots=True)
class ReaderRules:
    """How a reader takes attempts: after `max_attempts` within `attempts_within_s`, nobody for `lockout_s`."""

    max_attempts: int = 10
    attempts_within_s: float = 60.0
    lockout_s: float = 30.0
    passback_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader's memory, by the monotonic clock."""

    failed_s: tuple[float, ...] = ()
    locked_until_s: float = 0.0
    admitted: dict[str, float] = field(default_factory=dict)

    def is_locked(self, mono_s: float) -> bool:
        """Return whether the reader is taking its pause."""
        return mono_s < self.locked_until_s

    def is_back(self, credential: str, rules: ReaderRules, mono_s: float) -> bool:
        """Return whether a credential was let in here within the time of passback."""
        admitted_s = self.admitted.get(credential)
        return admitted_s is not None and mono_s - admitted_s < rules.passback_s


NEW_READER = Reader()


def remember(reader: Reader, rules: ReaderRules, reason: AccessReason, person: str | None, mono_s: float) -> Reader:
    """Return the reader after a decision."""
    if reason == "GRANTED" and person is not None:
        recent = {one: then_s for one, then_s in reader.admitted.items() if mono_s - then_s < rules.passback_s}
        recent.pop(person, None)
        recent[person] = mono_s
        admitted = dict(list(recent.items())[-MAX_ADMITTED:])
        return replace(reader, failed_s=(), admitted=admitted)
    if reason not in ATTEMPTS:
        return reader
    failed_s = (*(then_s for then_s in reader.failed_s if mono_s - then_s < rules.attempts_within_s), mono_s)
    if len(failed_s) < rules.max_attempts:
        return replace(reader, failed_s=failed_s)
    return replace(reader, failed_s=(), locked_until_s=mono_s + rules.lockout_s)
