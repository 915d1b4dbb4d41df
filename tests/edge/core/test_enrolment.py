"""The pure part of an enrolment: one end for each command, whatever comes in which order."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.commands import CancelEnrolment, Command, EnrolSecured, EnrolUid
from contract.events import EnrolmentEnded
from edge.core.effects import AwaitBadge, Effect, KeepUidBadge, Publish, ShowIndicator, StopAwaiting
from edge.core.enrolment import ANSWER_WITHIN_S, Readers, Seen, deadlines, elapse, judge_command, presented, take
from edge.core.moment import Moment
from edge.core.observations import (
    CardRefusal,
    CardTried,
    CredentialSeen,
    EnrolmentAsked,
    EnrolmentStopped,
    Stop,
    Trial,
    UidBadgeKept,
)
from edge.core.plan import Plan
from edge.core.reader import ReaderRules
from edge.core.trusted_time import Judged

T = 1_790_000_000_000
START = Moment(100.0, T, "synced")
READER, COMMAND, OTHER = "reader-01", "0" * 32, "1" * 32
PLAN = Plan("murat", ZoneInfo("Europe/Paris"), True, ReaderRules(), 900, {}, {READER: "door-01"}, {}, {}, {})
SECURED = EnrolSecured(reader=READER, badge="ab" * 16, key="cd" * 16)
UID = EnrolUid(reader=READER, credential="k7q2m9x4")
HASH = bytes(32)


class Desk:
    """What the core would be told and would do, at a pace of ours."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.plan, self.at = plan, START
        self.state: Readers = {}
        self.lost: set[str] = set()
        self.done: list[Effect] = []

    def take(self, seen: Seen) -> None:
        self.state, done = take(self.state, seen, self.at, self.plan, self.lost)
        self.done += done

    def ask(self, order: EnrolSecured | EnrolUid | CancelEnrolment = SECURED, command: str = COMMAND) -> None:
        self.take(EnrolmentAsked(self.at, command, order))

    def show(self, refusal: CardRefusal | None = None, uid_hash: bytes | None = None, *, known: bool = False) -> bool:
        """Return whether the door decides."""
        seen = CredentialSeen(self.at, READER, uid_hash, refusal)
        self.state, done = presented(self.state, seen, self.at, self.lost, known=known)
        self.done += done or ()
        return done is None

    def tried(self, result: Trial, command: str = COMMAND) -> None:
        self.take(CardTried(self.at, READER, command, result))

    def wait(self, for_s: float) -> None:
        self.at = self.at.moved_to(self.at.mono_s + for_s)
        self.state, done = elapse(self.state, self.at, self.lost)
        self.done += done

    def stops(self) -> None:
        self.take(EnrolmentStopped(self.at, READER, COMMAND))

    @property
    def ends(self) -> list[tuple[str, str]]:
        events = [effect.event for effect in self.done if isinstance(effect, Publish)]
        return [(one.value.command, one.value.outcome) for one in events if isinstance(one, EnrolmentEnded)]

    @property
    def shown(self) -> list[str]:
        return [effect.pattern for effect in self.done if isinstance(effect, ShowIndicator)]


def test_a_reader_waits_and_a_badge_that_is_made_ends_it() -> None:
    desk = Desk()
    desk.ask()
    assert desk.done == [
        AwaitBadge(READER, COMMAND, bytes.fromhex("ab" * 16), bytes.fromhex("cd" * 16)),
        ShowIndicator(READER, "wait"),
    ]
    desk.tried("done")
    assert desk.ends == [(COMMAND, "done")]
    assert desk.shown == ["wait", "idle", "granted"]
    assert desk.state == {}


def test_when_nobody_came_the_reader_is_asked_to_stop_and_its_answer_ends_it() -> None:
    desk = Desk()
    desk.ask()
    desk.wait(60)
    assert desk.ends == []
    assert desk.done[-2:] == [StopAwaiting(READER, COMMAND), ShowIndicator(READER, "idle")]
    desk.stops()
    assert desk.ends == [(COMMAND, "nobody_came")]


def test_a_badge_made_at_the_last_moment_is_made() -> None:
    desk = Desk()
    desk.ask()
    desk.wait(60)
    desk.tried("done")
    desk.stops()
    assert desk.ends == [(COMMAND, "done")]


def test_a_reader_that_does_not_answer_leaves_a_doubt() -> None:
    desk = Desk()
    desk.ask()
    desk.wait(60)
    desk.wait(ANSWER_WITHIN_S)
    assert desk.ends == [(COMMAND, "failed")]


def test_a_lost_reader_is_not_waited_for() -> None:
    desk = Desk()
    desk.ask()
    desk.lost.add(READER)
    desk.wait(60)
    assert desk.ends == [(COMMAND, "nobody_came")]


def test_a_card_that_left_may_be_shown_again_and_is_told_at_the_end() -> None:
    desk = Desk()
    desk.ask()
    assert not desk.show("pulled_away")
    desk.tried("pulled_away")
    assert desk.shown[1:] == ["come_nearer", "come_nearer"]
    desk.wait(60)
    desk.stops()
    assert desk.ends == [(COMMAND, "pulled_away")]


def test_a_known_badge_opens_its_door_and_ends_nothing() -> None:
    desk = Desk()
    desk.ask()
    assert desk.show(known=True)
    assert desk.state[READER].told == "already_known"
    desk.tried("done")
    assert desk.ends == [(COMMAND, "done")]


def test_only_a_known_badge_came() -> None:
    desk = Desk()
    desk.ask()
    assert desk.show(known=True)
    desk.wait(60)
    desk.stops()
    assert desk.ends == [(COMMAND, "already_known")]


@pytest.mark.parametrize("refusal", ["classic", "phone", "random_uid", "wrong_application"])
@pytest.mark.parametrize("order", [SECURED, UID])
def test_a_card_of_the_wrong_kind_ends_it(order: EnrolSecured | EnrolUid, refusal: CardRefusal) -> None:
    desk = Desk()
    desk.ask(order)
    assert not desk.show(refusal)
    desk.stops()
    assert desk.ends == [(COMMAND, "wrong_kind")]
    assert desk.shown[-1] == "refused"


def test_a_card_with_another_owner_ends_it() -> None:
    desk = Desk()
    desk.ask()
    desk.tried("not_blank")
    desk.stops()
    assert desk.ends == [(COMMAND, "not_blank")]


def test_after_a_doubt_another_card_is_refused_and_the_one_in_doubt_still_awaited() -> None:
    desk = Desk()
    desk.ask()
    desk.tried("uncertain")
    desk.tried("not_blank")
    assert not desk.show("classic")
    assert desk.shown[1:] == ["come_nearer", "refused", "refused"]
    desk.tried("done")
    assert desk.ends == [(COMMAND, "done")]


@pytest.mark.parametrize("last", ["window", "cancel", "stop"])
def test_a_doubt_is_told_as_such_however_it_ends(last: str) -> None:
    desk = Desk()
    desk.ask()
    desk.tried("uncertain")
    if last == "window":
        desk.wait(60)
    elif last == "cancel":
        desk.ask(CancelEnrolment(reader=READER), OTHER)
    else:
        desk.take(Stop(desk.at))
    desk.stops()
    assert desk.ends == [(COMMAND, "failed")]


def test_a_cancelled_one_ends_with_the_answer_of_the_reader() -> None:
    desk = Desk()
    desk.ask()
    desk.ask(CancelEnrolment(reader=READER), OTHER)
    assert desk.ends == []
    desk.stops()
    assert desk.ends == [(COMMAND, "cancelled")]


def test_a_second_command_for_a_busy_reader_is_refused_and_disturbs_nothing() -> None:
    desk = Desk()
    desk.ask()
    desk.ask(SECURED, OTHER)
    desk.tried("done")
    assert desk.ends == [(OTHER, "refused"), (COMMAND, "done")]


def test_what_cannot_be_is_refused_at_once_and_the_light_stays_dark() -> None:
    elsewhere = EnrolSecured(reader="reader-09", badge="ab" * 16, key="cd" * 16)
    cases: list[tuple[EnrolSecured | EnrolUid, Plan, set[str], bool]] = [
        (elsewhere, PLAN, set[str](), True),
        (UID, replace(PLAN, uid_badges=False), set[str](), True),
        (SECURED, PLAN, {READER}, True),
        (SECURED, PLAN, set[str](), False),
    ]
    for order, plan, lost, timely in cases:
        desk = Desk(plan)
        desk.lost = lost
        desk.take(EnrolmentAsked(START, COMMAND, order, timely))
        assert desk.ends == [(COMMAND, "refused")]
        assert (desk.shown, desk.state) == ([], {})


def test_a_badge_of_the_uid_class_is_one_when_the_disk_has_it() -> None:
    desk = Desk()
    desk.ask(UID)
    assert not desk.show(uid_hash=HASH)
    assert desk.done[-1] == KeepUidBadge("k7q2m9x4", HASH)
    assert not desk.show(uid_hash=bytes([1] * 32))
    assert sum(isinstance(effect, KeepUidBadge) for effect in desk.done) == 1
    desk.take(UidBadgeKept(desk.at, "k7q2m9x4", stored=True))
    assert desk.ends == [(COMMAND, "done")]
    assert desk.shown == ["wait", "idle", "granted"]


def test_a_badge_of_the_uid_class_that_the_disk_refuses_is_none() -> None:
    desk = Desk()
    desk.ask(UID)
    desk.show(uid_hash=HASH)
    desk.take(UidBadgeKept(desk.at, "k7q2m9x4", stored=False))
    assert desk.ends == [(COMMAND, "failed")]


def test_without_an_enrolment_the_door_decides() -> None:
    desk = Desk()
    for refusal in ("pulled_away", "classic", None):
        assert desk.show(refusal, HASH)
    assert desk.done == []


acts = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([SECURED, UID, CancelEnrolment(reader=READER)])),
    st.tuples(st.just("tried"), st.sampled_from(["done", "already_ours", "not_blank", "pulled_away", "uncertain"])),
    st.tuples(st.just("show"), st.sampled_from([None, "classic", "pulled_away", "two_cards", "late"])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 5.0, 60.0])),
    st.tuples(st.just("kept"), st.booleans()),
    st.tuples(st.just("stops"), st.none()),
    st.tuples(st.just("lost"), st.booleans()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(acts, max_size=30))
def test_every_command_ends_exactly_once_and_in_time(played: list[tuple[str, object]]) -> None:
    desk, asked = Desk(), dict[str, float]()
    for number, (act, what) in enumerate(played):
        command = f"{number:032x}"
        if act == "ask" and not isinstance(what, CancelEnrolment):
            asked[command] = desk.at.mono_s
        play(desk, act, what, command)
        ended = [one for one, _ in desk.ends]
        assert len(ended) == len(set(ended))
        # The oracle: who asked and has not ended is who waits, and no other; each has its time.
        assert {one.command for one in desk.state.values()} == set(asked) - set(ended)
        assert all(due_s <= desk.at.mono_s + 60 + ANSWER_WITHIN_S for due_s in deadlines(desk.state))
    desk.wait(60)
    desk.wait(ANSWER_WITHIN_S)
    assert {one for one, _ in desk.ends} == set(asked)


def play(desk: Desk, act: str, what: object, command: str) -> None:
    waiting = desk.state.get(READER)
    current = waiting.command if waiting else COMMAND
    match act, what:
        case "ask", EnrolSecured() | EnrolUid() | CancelEnrolment():
            desk.ask(what, command)
        case "tried", ("done" | "already_ours" | "not_blank" | "pulled_away" | "uncertain") as result:
            if waiting is None or waiting.credential is None:
                desk.tried(result, current)
        case "show", (None | "classic" | "pulled_away" | "two_cards" | "late") as refusal:
            desk.show(refusal, HASH)
        case "wait", float() as for_s:
            desk.wait(for_s)
        case "kept", bool() as stored:
            desk.take(UidBadgeKept(desk.at, "k7q2m9x4", stored))
        case "stops", _:
            desk.take(EnrolmentStopped(desk.at, READER, current))
        case "lost", bool() as is_lost:
            desk.lost = {READER} if is_lost else set()


def command(issued: int = T, life_ms: int = 30_000) -> Command:
    return Command(id=COMMAND, site="murat", issued_at=issued, expires_at=issued + life_ms, order=SECURED)


@pytest.mark.parametrize(
    ("one", "time", "started_ms", "refusal"),
    [
        (command(), Judged(T + 1, T, "clock"), T - 1, None),
        (command(), Judged(T - 20_000, T - 20_000, "clock"), T - 60_000, None),
        (command(), Judged(T + 30_000, T, "clock"), T - 1, "expired"),
        (command(), Judged(T, T + 30_000, "high_water"), T - 1, "expired"),
        (command(), Judged(T, T, "high_water"), T - 1, "no_clock"),
        (command(), Judged(T + 1, T, "clock"), T + 1, "before_start"),
        (command(), Judged(T - 30_001, T - 30_001, "clock"), 0, "early"),
        (command(life_ms=30_001), Judged(T + 1, T, "clock"), T - 1, "life"),
        (command(life_ms=0), Judged(T - 1, T - 1, "clock"), 0, "life"),
    ],
)
def test_a_command_is_obeyed_in_its_short_life_alone(
    one: Command, time: Judged, started_ms: int, refusal: str | None
) -> None:
    assert judge_command(one, time, started_ms, ()) == refusal


def test_a_command_is_obeyed_once() -> None:
    assert judge_command(command(), Judged(T + 1, T, "clock"), 0, {COMMAND}) == "seen"
