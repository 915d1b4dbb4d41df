"""The play of the year around its truth: what sensors make of people, what an outbox holds, how it is sent, counted."""

from datetime import date
from pathlib import Path
from random import Random

import pytest

from contract.messages import Ack, StreamAck, decode_batch
from simulators.network import packaged_network
from simulators.year_calendar import HOUR_MS, MINUTE_MS, day_of
from simulators.year_command import YearError, run_year
from simulators.year_lives import Chronicle, Life, Phase
from simulators.year_play import Options, write_acts
from simulators.year_post import Post
from simulators.year_presence import Meeting, Story
from simulators.year_record import make_streams
from simulators.year_sensing import Fault, tell_desk
from simulators.year_tally import Tally
from simulators.year_world import make_world
from tests.support.year_outbox import alive, at, state, stream

HUB = "a" * 32


def options(folder: Path, seed: int = 7) -> Options:
    return Options(seed, (date(2026, 3, 9), date(2026, 3, 19)), folder)


def test_the_same_seed_plays_the_same_year(tmp_path: Path) -> None:
    world = make_world(packaged_network(), 7, date(2026, 3, 9))
    first, again = (write_acts(world, options(tmp_path)) for _ in range(2))
    assert first == again
    assert write_acts(world, options(tmp_path, seed=8)) != first


def test_a_booking_that_was_due_before_the_machine_began_is_said_without_a_time_below_zero() -> None:
    start_ms = at("10:00")
    begun_ms = start_ms + 13 * MINUTE_MS
    life = Life("a" * 32, "b" * 32, begun_ms, begun_ms, begun_ms + HOUR_MS, (Phase(begun_ms, "synced", 0),))
    story = Story(rooms={"room-01": [Meeting((start_ms, start_ms + HOUR_MS), None, in_call=False)]})
    (told,) = make_streams(Chronicle((life,), ()), {}, story, ["door-01"])
    (judged,) = [one for one in told.entries if one.statement.kind == "booking_judged"]
    assert (judged.up_ms, judged.t_ms) == (0, start_ms + 10 * MINUTE_MS)


def test_who_is_in_a_booked_room_in_time_has_come_and_agents_say_so(tmp_path: Path) -> None:
    world = make_world(packaged_network(), 7, date(2026, 3, 9))
    found: set[tuple[bool, str]] = set()
    for act in write_acts(world, options(tmp_path)):
        booked = {
            (room, meeting.booked[0]): meeting
            for room, meetings in act.story.rooms.items()
            for meeting in meetings
            if meeting.booked is not None
        }
        said = [entry.statement for one in act.streams for entry in one.entries]
        judged = [(one.subject, dict(one.value)) for one in said if one.kind == "booking_judged"]
        keys = [(room, int(value["start"])) for room, value in judged]
        assert len(keys) == len(set(keys))
        for key, (_, value) in zip(keys, judged, strict=True):
            start_ms, used = key[1], booked[key].used
            came = used is not None and used[0] < start_ms + 600_000
            found.add((came, str(value["outcome"])))
    assert {(True, "came"), (False, "no_show")} <= found
    # A sensor that is stuck or dead sees what is not there, or nothing.
    assert (True, "no_show") not in found


def test_the_register_of_the_world_changes_on_its_days() -> None:
    world = make_world(packaged_network(), 7)
    assert world.register_days() == [
        date(2026, month, day) for month, day in ((1, 1), (3, 16), (3, 23), (6, 15), (7, 1), (9, 1), (10, 12))
    ]
    assert [world.network_toml(day).count("[[site]]") for day in (date(2026, 3, 15), date(2026, 3, 16))] == [9, 10]


def test_a_desk_that_moves_is_in_one_telecentre_and_then_in_another(tmp_path: Path) -> None:
    world = make_world(packaged_network(), 7, date(2026, 3, 9))
    before, after = date(2026, 3, 22), date(2026, 3, 23)
    desks = {
        one.id: [sum(desk.holds(day) for desk in one.desks) for day in (before, after)] for one in world.telecentres
    }
    assert desks["riom-es-montagnes"] == [4, 3]
    assert desks["vic-sur-cere"] == [3, 4]
    acts = write_acts(world, Options(7, (date(2026, 3, 9), date(2026, 4, 1)), tmp_path))
    days = {act.place.id: {day_of(begin) for begin, _ in act.story.desks.get("desk-04", [])} for act in acts}
    assert max(days["riom-es-montagnes"]) <= before
    assert min(days["vic-sur-cere"]) >= after


def test_an_absence_is_told_after_the_hold_time_and_true_from_the_last_sight() -> None:
    told = tell_desk([(at("09:00"), at("09:20"))], [], at("08:00"), Random(1))
    assert [(one.state, one.true_ms) for one in told] == [
        ("vacant", at("08:00")),
        ("occupied", at("09:00")),
        ("vacant", at("09:20")),
    ]
    assert told[-1].said_ms == at("09:25")


def test_a_stuck_sensor_says_what_it_says_until_somebody_notices() -> None:
    faults = [Fault(at("08:30"), at("09:10"), "occupied"), Fault(at("09:10"), at("09:40"), "unknown")]
    told = tell_desk([(at("09:00"), at("09:20"))], faults, at("08:00"), Random(1))
    assert [(one.state, one.true_ms) for one in told] == [
        ("vacant", at("08:00")),
        ("occupied", at("08:30")),
        ("unknown", at("09:10")),
        ("vacant", at("09:40")),
    ]


def post_of(count: int) -> Post:
    words = [alive("08:00"), *(state(f"{8 + n // 60:02d}:{n % 60:02d}", "desk-01", "vacant") for n in range(1, count))]
    return Post("murat", [stream(*words)], Random(3))


def positions(post: Post) -> list[tuple[int, int]]:
    """Return first and last position of each batch that goes out now."""
    headers = [decode_batch(say.content_type, say.payload)[0] for say in post.say(at("23:00"))]
    return sorted({(header.first, header.last) for header in headers})


def test_everything_wanted_is_sent_once_the_hello_is_answered() -> None:
    post = post_of(300)
    post.want({"5" * 32: 300})
    hello = post.greet()
    assert hello is not None
    assert post.say(0) == []
    question = hello.payload.decode().partition('"hello_id":"')[2][:16]
    post.heard(Ack(site="murat", hub=HUB, acks=[StreamAck(stream="5" * 32, seq=0)], hello_id=question))
    sent = positions(post)
    assert (sent[0][0], sent[-1][1]) == (1, 300)
    assert [last + 1 for _, last in sent[:-1]] == [first for first, _ in sent[1:]]
    post.heard(Ack(site="murat", hub=HUB, acks=[StreamAck(stream="5" * 32, seq=300)]))
    assert post.is_done


def test_an_answer_that_is_lower_makes_it_send_again_from_there() -> None:
    post = post_of(100)
    post.want({"5" * 32: 100})
    assert positions(post)[-1][1] == 100
    hello = post.greet()
    assert hello is not None
    question = hello.payload.decode().partition('"hello_id":"')[2][:16]
    post.heard(Ack(site="murat", hub=HUB, acks=[StreamAck(stream="5" * 32, seq=40)], hello_id=question))
    assert positions(post)[0][0] == 41


def test_a_figure_that_differs_or_is_missing_is_told() -> None:
    tally = Tally()
    tally.compare("occupancy", "murat", "2026-03-10", {"a": 1, "b": 2}, {"a": 1})
    assert tally.told() == {"compared": 2, "different": 1, "released": {}, "not_answered": [], "equal": False}
    assert tally.table()[-1] == "different: occupancy, murat, 2026-03-10: b is 2, the hub says 'missing'"


def test_nothing_compared_and_a_question_that_is_not_answered_are_no_success() -> None:
    tally = Tally()
    assert not tally.told()["equal"]
    tally.compare("rebuild", "network", "", {"differences": 0}, {"differences": 0})
    assert tally.told()["equal"]
    tally.lack("/api/v1/visits")
    assert not tally.told()["equal"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2025, 12, 31), date(2026, 2, 1)),
        (date(2026, 2, 1), date(2026, 2, 1)),
        (date(2026, 12, 1), date(2027, 1, 2)),
    ],
)
def test_days_of_another_year_are_refused_in_one_sentence(first: date, last: date) -> None:
    with pytest.raises(YearError, match="--from and --to must lie in order"):
        run_year(7, first, last, None, print)


def test_a_folder_that_is_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(YearError, match="name another folder"):
        run_year(7, None, None, tmp_path, print)
