from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.opening import parse_opening
from hub import opening as hub_opening
from tests.support.moments import on

PARIS = ZoneInfo("Europe/Paris")
TEXTS = ["Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off", "Mo,We,Fr 08:30-12:00,14:00-18:00", "Fr-Mo 10:00-16:00", "24/7"]


@pytest.mark.parametrize(
    ("instant", "holds"),
    [
        ("2026-11-23T07:59:59+01:00", False),
        ("2026-11-23T08:00:00+01:00", True),
        ("2026-11-23T18:59:59+01:00", True),
        ("2026-11-23T19:00:00+01:00", False),
        ("2026-11-28T10:00:00+01:00", True),
        ("2026-11-29T10:00:00+01:00", False),
        ("2026-07-06T06:30:00Z", True),
    ],
)
def test_a_site_is_open_in_its_local_hours(instant: str, holds: bool) -> None:
    assert parse_opening(TEXTS[0], PARIS).holds(on(instant.replace("Z", "+00:00"))) == holds


def test_a_clock_that_is_not_set_says_nothing_against_a_sensor() -> None:
    assert parse_opening(TEXTS[0], PARIS).holds(on("2026-11-29T03:00:00+01:00", "unsynced"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PH off",
        "Mo-Fr 8-19",
        "Mo-Fr 19:00-08:00",
        "Mo-Fr 08:00-25:00",
        "sunrise-sunset",
        "Mo-Fr 08:00-19:00; SH off",
    ],
)
def test_other_hours_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="opening hours such as"):
        parse_opening(text, PARIS)


# Working days alone: the hub knows public holidays, the edge does not.
@given(text=st.sampled_from(TEXTS), minute=st.integers(0, 20 * 1440))
@settings(max_examples=200, deadline=None)
def test_the_hub_reads_the_same_hours(text: str, minute: int) -> None:
    local = datetime(2026, 11, 16, tzinfo=PARIS) + timedelta(minutes=minute)
    moment = on(local.isoformat())
    day = hub_opening.opened(text, PARIS, local.date())
    expected = any(start <= moment.wall_ms < end for start, end in day)
    assert parse_opening(text, PARIS).holds(moment) == expected
