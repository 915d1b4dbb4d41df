"""When a door is open to everyone: an event day, a market morning. Times are the hub's, in UTC milliseconds."""

from edge.core.rights import Rights
from edge.core.trusted_time import Judged


def is_free(rights: Rights, door: str, time: Judged) -> bool:
    """Return whether a door is free at the time of a decision.

    An expired list frees nothing, nor does a time that no clock confirms: after days without power the mark lies
    behind, and an event that is over would begin again (docs/decisions/0009).
    """
    if time.by != "clock":
        return False
    if rights.expires_at_ms is not None and time.trusted_ms >= rights.expires_at_ms:
        return False
    return any(one.door == door and one.start_ms <= time.now_ms < one.end_ms for one in rights.free_access)


def changes_in_ms(rights: Rights, door: str, time: Judged) -> int | None:
    """Return after how many milliseconds a door next becomes free or ceases to be, or None."""
    bounds = [bound for one in rights.free_access if one.door == door for bound in (one.start_ms, one.end_ms)]
    if rights.expires_at_ms is not None and bounds:
        bounds.append(time.now_ms + rights.expires_at_ms - time.trusted_ms)
    return min((bound - time.now_ms for bound in bounds if bound > time.now_ms), default=None)
