"""Moments as the API writes them: ISO 8601, UTC, with milliseconds. Pure."""

from datetime import UTC, datetime

LATEST_MS = 7_258_118_400_000
"""The year 2200: the contract allows any number up to 2**53, which is a year that no calendar here can write."""


def instant(at_ms: int | None) -> str | None:
    """Return a moment in ISO 8601, UTC, with milliseconds; one that no calendar here knows is as good as none."""
    return None if at_ms is None or at_ms > LATEST_MS else required_instant(at_ms)


def required_instant(at_ms: int) -> str:
    """Return a moment that a calendar here knows."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
