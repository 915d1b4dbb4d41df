"""Random pools of places in one day, and what is told of them together: counted slot by slot, with fractions."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.indicators import Attendance, Usage, crowd_of_day, values
from hub.levels import peaks, profile, summed
from hub.statistics import Stretch, figures, stretches

SLOT_MS = 600_000
LETTERS = {"U": "occupied", "E": "vacant", "?": "unknown", "O": "out_of_service"}

Places = list[tuple[str, int, int]]
"""Of each place what it was in each slot, and from which slot to which its telecentre was open."""


@st.composite
def pools(draw: st.DrawFn) -> Places:
    """Draw up to four places of one or two telecentres, mostly known; of some, a part of the day is not."""
    slots = draw(st.integers(1, 12))
    hours = [sorted((draw(st.integers(0, slots)), draw(st.integers(0, slots)))) for _ in range(draw(st.integers(1, 2)))]
    found: Places = []
    for number in range(draw(st.integers(1, 4))):
        letters = draw(st.lists(st.sampled_from("UUUEEE?O"), min_size=slots, max_size=slots))
        first, until = sorted((draw(st.integers(0, slots)), draw(st.integers(0, slots))))
        if draw(st.booleans()):
            letters[first:until] = draw(st.sampled_from("?O")) * (until - first)
        opens, closes = hours[number % len(hours)]
        found.append(("".join(letters), opens, closes))
    return found


@settings(max_examples=300, deadline=None)
@given(pools())
def test_what_is_told_of_a_pool_as_a_whole_equals_a_count_of_slots(places: Places) -> None:
    found = told_of(places)
    slots = len(places[0][0])
    at_once = ["".join(text[n] for text, opens, closes in places if opens <= n < closes) for n in range(slots)]
    there = [text[opens:closes].replace("O", "") for text, opens, closes in places]
    known = [at.replace("O", "") for at in at_once if "?" not in at and at.strip("O")]
    available, observed = len("".join(there)), len("".join(there).replace("?", ""))
    told = bool(known) and 2 * observed >= available and Fraction(available, len(places)) <= 2 * len(known)
    assert found["available_ms"] == available * SLOT_MS
    assert found["saturable_ms"] == len(known) * SLOT_MS
    assert found["average_occupancy"] == (sum(at.count("U") for at in known) / len(known) if told else None)
    assert found["saturation"] == (sum("E" not in at for at in known) / len(known) if told else None)


@settings(max_examples=100, deadline=None)
@given(pools())
def test_a_pool_that_is_known_all_the_time_is_never_too_little_known(places: Places) -> None:
    known = [(text.replace("?", "U"), opens, closes) for text, opens, closes in places]
    found = told_of(known)
    assert (found["saturation"] is None) == (not found["available_ms"])


def told_of(places: Places) -> dict[str, float | int | None]:
    """Return what the hub tells of these places together."""
    day = (0, len(places[0][0]) * SLOT_MS)
    usage, profiles = Usage(), []
    for text, opens, closes in places:
        changes = [(n * SLOT_MS, LETTERS[letter]) for n, letter in enumerate(text)]
        opened = [(opens * SLOT_MS, closes * SLOT_MS)] if opens < closes else []
        (one,) = figures(changes, None, day[1], opened, [day])
        usage = Usage(usage.available_ms + one.available_ms, usage.observed_ms + one.observed_ms)
        seen: list[Stretch] = stretches(changes, None, day[1], day)
        profiles.append(profile([seen], opened))
    return dict(values(len(places), usage, crowd_of_day(peaks(summed(profiles), day)), Attendance()))
