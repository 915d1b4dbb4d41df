"""The worked examples of docs/method.md come out as written, and what they leave out."""

import re
from collections.abc import Mapping
from dataclasses import astuple
from datetime import date

import pytest

from edge.core.booking import Judgement
from edge.core.observations import Booking
from edge.core.occupancy import PresenceRules
from edge.core.room import RoomRules, elapse, learn, lose, read, unknown_room
from hub.indicators import Attendance as Attended
from hub.indicators import (
    Crowd,
    Outcome,
    Step,
    Usage,
    Value,
    counted_bookings,
    crowd_of_day,
    day_after,
    first_day,
    values,
)
from hub.levels import Level, Peaks, pack, peaks, profile, summed, unpack
from hub.routes.figures import by_site, pooled
from hub.sessions import MERGE_MS, dwell, sessions
from hub.statistics import Stretch, figures, stretches
from hub.store import OccupancyRow
from tests.support.moments import at
from tests.test_docs import METHOD, table_rows

MINUTE = 60_000


def clock_ms(text: str) -> int:
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE


def percent(share: float | None) -> str:
    return "none" if share is None else f"{round(100 * share)} %"


DAY = (clock_ms("00:00"), clock_ms("24:00"))
OPEN = [(clock_ms("08:00"), clock_ms("10:00"))]


def worked_examples() -> list[list[str]]:
    return table_rows(METHOD.read_text(encoding="utf-8"), "#", "what happened")


def told_of(story: str, desk: str = "desk-01") -> OccupancyRow:
    """Return the times of a desk of which this is told, on a day on which it is open from 08:00 to 10:00."""
    changes = [(clock_ms(at), state) for state, at in re.findall(r"(\w+) (\d\d:\d\d)", story) if state != "event"]
    last = re.search(r"last event (\d\d:\d\d)", story)
    (part,) = figures(changes, None, clock_ms(last[1]) if last else None, OPEN, [DAY])
    return OccupancyRow("murat", desk, *astuple(part))


def test_the_worked_examples_of_the_method_come_out_as_written() -> None:
    rows = worked_examples()
    assert len(rows) == 4
    for _, story, *written in rows:
        (figure,) = pooled([told_of(story)], by_site)
        minutes = [figure.available_ms, figure.observed_ms, figure.occupied_ms]
        shares = [percent(figure.coverage), figure.status, percent(figure.rate)]
        assert [*(f"{part // MINUTE} min" for part in minutes), *shares] == written, story


def sentence(begin: str) -> str:
    """Return the sentence of the method that begins so."""
    page = " ".join(METHOD.read_text(encoding="utf-8").split())
    assert page.count(begin) == 1
    return begin + re.split(r"\.(?= |$)", page.partition(begin)[2], maxsplit=1)[0]


def test_a_desk_that_was_watched_for_a_quarter_of_the_time_has_the_coverage_and_the_status_of_the_page() -> None:
    text = sentence("With nothing but")
    story, last, coverage, status = re.findall(
        r'"(.+)" and a last event at (\d\d:\d\d), coverage would be (\d+ %): status `(\w)`, and no rate$', text
    )[0]
    (figure,) = pooled([told_of(f"{story}, last event {last}")], by_site)
    assert (percent(figure.coverage), figure.status, figure.rate) == (coverage, status, None)


def test_two_desks_are_pooled_as_the_page_says_and_not_averaged() -> None:
    first, second, *written = re.findall(r"\d+", sentence("Two desks, examples"))
    stories = {number: story for number, story, *_ in worked_examples()}
    (one,), (other,) = (pooled([told_of(stories[number])], by_site) for number in (first, second))
    (both,) = pooled([told_of(stories[first], "desk-01"), told_of(stories[second], "desk-02")], by_site)
    shares = [percent(figure.rate).removesuffix(" %") for figure in (both, one, other)]
    assert [f"{both.occupied_ms // MINUTE}", f"{both.observed_ms // MINUTE}", *shares] == written


def told(story: str, last: str) -> tuple[list[Stretch], str | None]:
    changes = [(clock_ms(at), state) for state, at in re.findall(r"(\w+) (\d\d:\d\d)", story) if state != "event"]
    return stretches(changes, None, clock_ms(last), DAY), changes[-1][1]


def test_the_worked_examples_of_sessions_come_out_as_written() -> None:
    rows = table_rows(METHOD.read_text(encoding="utf-8"), "desk", "what happened")
    assert len(rows) == 4
    for _, story, *written in rows:
        found = sessions(*told(story, story[-5:]), MERGE_MS["desk"])
        lengths = dwell(one.end_ms - one.start_ms for one in found if one.is_closed)
        mean = "none" if lengths.mean_ms is None else f"{lengths.mean_ms / MINUTE:.0f} min"
        assert [str(len(found)), str(lengths.closed), mean] == written, story


def test_the_worked_examples_of_peaks_come_out_as_written() -> None:
    rows = table_rows(METHOD.read_text(encoding="utf-8"), "pool", "desk-01")
    assert len(rows) == 5
    for _, one, other, *written in rows:
        found = of_pool(one, other)
        mean, counts = found["average_occupancy"], [found[name] for name in ("peak", "peak_5min", "min_free")]
        assert [
            *map(str, counts),
            f"{int(found['saturable_ms'] or 0) // MINUTE} min",
            "none" if mean is None else f"{mean:.2f}",
            percent(found["saturation"]),
        ] == written, one


def of_pool(*stories: str) -> Mapping[str, Value]:
    """Return the indicators of desks of which this is told, up to 10:00, on a day on which they are open from 08:00."""
    pool = peaks(profile([told(story, "10:00")[0] for story in stories], OPEN), DAY)
    times = [told_of(f"{story}, last event 10:00") for story in stories]
    usage = Usage(sum(one.available_ms for one in times), sum(one.observed_ms for one in times))
    return values(len(stories), usage, crowd_of_day(pool), Attended())


def test_a_share_of_a_time_in_which_too_few_desks_were_known_together_is_none_whatever_the_coverage() -> None:
    *_, story = table_rows(METHOD.read_text(encoding="utf-8"), "pool", "desk-01")
    text = sentence("In all of them the status is")
    observed, available, covered = re.findall(r"(\d+) of (\d+) minutes were observed, which is (\d+ %)$", text)[0]
    found = of_pool(*story[1:3])
    times = [int(found[name] or 0) for name in ("observed_ms", "available_ms")]
    assert [str(time // MINUTE) for time in times] == [observed, available]
    assert (percent(times[0] / times[1]), found["saturation"]) == (covered, None)


def of_whole(saturable_ms: int, *, resources: int = 5, available_ms: int = 1_000) -> list[Value]:
    """Return what is told of a pool that was seen for four fifths of its time, and as a whole for so long."""
    crowd = Crowd(Peaks(5, 0, 5, 0, saturable_ms, saturable_ms, 4 * saturable_ms), 5, 1)
    found = values(resources, Usage(available_ms, available_ms * 4 // 5, 0), crowd, Attended())
    assert (found["average_peak"], found["saturated_ms"], found["min_free"]) == (5, saturable_ms, 0)
    return [found["average_occupancy"], found["saturation"]]


def test_exactly_half_of_the_time_for_which_a_place_was_there_on_average_is_enough() -> None:
    assert of_whole(100) == [4, 1]
    assert of_whole(99) == of_whole(0) == [None, None]
    assert of_whole(100, available_ms=1_001) == [None, None]


def test_of_places_out_of_service_a_shorter_time_together_is_enough() -> None:
    """Two of four desks were out of service all the time, so that one was there for half of it on average."""
    assert of_whole(50, resources=4, available_ms=400) == [4, 1]
    assert of_whole(49, resources=4, available_ms=400) == [None, None]


def test_telecentres_with_different_hours_that_are_known_all_the_time_are_never_too_little_known() -> None:
    """Open one after the other, the second for five times as long: all are known while only one is open, too."""
    hours = [(clock_ms("08:00"), clock_ms("09:00"))], [(clock_ms("09:00"), clock_ms("14:00"))]
    seen = [(clock_ms("00:00"), clock_ms("24:00"), "occupied")]
    both = peaks(summed([profile([seen], opened) for opened in hours]), DAY)
    assert both.saturable_ms == clock_ms("06:00")
    found = values(2, Usage(both.saturable_ms, both.saturable_ms), crowd_of_day(both), Attended())
    assert (found["average_occupancy"], found["saturation"]) == (1, 1)


def test_the_worked_examples_of_bookings_come_out_as_written() -> None:
    text = METHOD.read_text(encoding="utf-8")
    rows = table_rows(text, "booking", "what the room's sensors saw")
    assert len(rows) == 7
    found = [what_came_of(story) for _, story, _ in rows]
    assert found == [outcome for _, _, outcome in rows]
    together = values(1, Usage(), None, Attended(), counted_bookings(found))
    bookings, no_shows, rate = (together[name] for name in ("bookings", "no_shows", "no_show_rate"))
    assert f"Together: {bookings} bookings, {no_shows} no-shows, a no-show rate of {percent(float(rate or 0))}." in text


def what_came_of(story: str) -> Outcome:
    """Return what the agent's own rule says of a booking from 10:00 to 11:00 on 23 November."""
    rules = RoomRules("room-01", PresenceRules(("radar",), 2.0, 300.0), 600.0, 3600.0, bookings="calendar")
    told = [(clock_ms(at) // 1000, state) for state, at in re.findall(r"(\w+) (\d\d:\d\d)", story)]
    room, judged = unknown_room(rules, at(told[0][0])), list[Outcome]()
    room, _ = learn(room, rules, (Booking(at(36_000).wall_ms, at(39_600).wall_ms),), at(told[0][0]))
    for second in range(told[0][0], 12 * 3600, 10):
        state = [state for since, state in told if since <= second][-1]
        room, said = elapse(room, rules, at(second))
        judged += [one.outcome for one in said if isinstance(one, Judgement)]
        if state == "unknown":
            room, _ = lose(room, rules, "radar", at(second))
        else:
            room, _ = read(room, rules, "radar", at(second), present=state == "occupied")
    (outcome,) = judged
    return outcome


def test_the_median_of_an_even_number_is_between_the_two_in_the_middle_and_p90_is_one_of_them() -> None:
    assert dwell([1, 2, 4, 8]) == (4, 3.75, 3.0, 8)
    assert dwell(range(1, 11)).p90_ms == 9
    assert dwell([]) == (0, None, None, None)


def test_a_session_across_a_broken_watch_is_two_and_neither_is_closed() -> None:
    found = sessions([(0, 10, "vacant"), (10, 10**6, "occupied"), (10**6, 2 * 10**6, "unknown")], None, 900_000)
    assert [(one.begun, one.ended, one.is_closed) for one in found] == [("seen", "lost", False)]


def test_a_place_vacated_at_the_last_sign_of_life_has_a_closed_session() -> None:
    found = sessions([(0, 10, "vacant"), (10, 10**6, "occupied")], "vacant", 900_000)
    assert found[0].is_closed


def test_the_peak_of_two_telecentres_is_what_was_in_use_at_the_same_moment() -> None:
    morning, evening = [Level(0, 3, 0, 0), Level(10, 0, 0, 0)], [Level(10, 2, 1, 0), Level(20, 0, 0, 0)]
    assert peaks(summed([morning, evening]), (0, 20)).peak == 3
    assert peaks(summed([morning, morning]), (0, 20)).peak == 6


def test_a_profile_survives_its_packing() -> None:
    levels = [Level(5_000_000, 99, 0, 99), Level(90_000_000 + 4_999_999, 0, 3, 0)]
    assert unpack(pack(levels, 5_000_000), 5_000_000) == levels


def test_no_rate_is_told_below_half_coverage_and_counts_are() -> None:
    found = values(1, Usage(100, 49, 20), None, Attended(3))
    assert (found["occupancy_rate"], found["turnover"], found["sessions"]) == (None, None, 3)


def test_of_nothing_known_there_is_no_peak_and_not_zero() -> None:
    assert peaks([Level(0, 0, 0, 2), Level(10, 0, 0, 0)], (0, 10)) == Peaks(None, None, None, None, 0, 0, 0)


@pytest.mark.parametrize(
    ("step", "first", "after"),
    [
        ("day", date(2026, 12, 31), date(2027, 1, 1)),
        ("week", date(2026, 12, 28), date(2027, 1, 4)),
        ("month", date(2026, 12, 1), date(2027, 1, 1)),
        ("quarter", date(2026, 10, 1), date(2027, 1, 1)),
        ("year", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_begins_and_ends_on_a_local_day(step: Step, first: date, after: date) -> None:
    assert first_day(date(2026, 12, 31), step) == first
    assert day_after(first, step) == after
