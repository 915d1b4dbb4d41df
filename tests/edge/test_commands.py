"""Commands from the hub: only a fresh one of our hub, sealed to this site, is handed on, and each once."""

import logging
from collections.abc import Callable

import pytest

from contract.commands import CancelEnrolment, Command, EnrolSecured, encode_command
from contract.sealing import Purpose, public_key_of, seal
from edge.core.trusted_time import Judged
from edge.link import Commands
from tests.support.rights import HUB_KEY, PRIVATE_KEY, SIGNING_KEY

T = 1_790_000_000_000
ORDER = EnrolSecured(reader="reader-01", badge="ab" * 16, key="cd" * 16)
FORGER = bytes(range(7, 39))


class Edge:
    """What a site hands on, at a time of ours."""

    def __init__(self) -> None:
        self.time = Judged(T + 1, T, "clock")
        self.started_ms = T - 60_000
        self.handed_on: list[tuple[str, bool]] = []
        self.commands = Commands(
            "murat",
            (HUB_KEY, PRIVATE_KEY),
            time=lambda: self.time,
            started_ms=lambda: self.started_ms,
            hand_on=lambda command, _, timely: self.handed_on.append((command, timely)),
        )


def command(number: int = 0, *, site: str = "murat", issued: int = T) -> Command:
    order = ORDER if number % 2 == 0 else CancelEnrolment(reader="reader-01")
    return Command(id=f"{number:032x}", site=site, issued_at=issued, expires_at=issued + 30_000, order=order)


def sealed(
    body: bytes, *, site: str = "murat", signing_key: bytes = SIGNING_KEY, purpose: Purpose = "command"
) -> bytes:
    recipient = public_key_of(PRIVATE_KEY)
    return seal(purpose, site, body, signing_key=signing_key, recipient=recipient, ephemeral=bytes(31) + b"\1")


def test_a_command_is_handed_on_once_however_often_it_is_played() -> None:
    edge = Edge()
    for _ in range(1_000):
        edge.commands.take(sealed(encode_command(command())), retained=False)
    assert edge.handed_on == [(f"{0:032x}", True)]
    assert edge.commands.refused == {"seen": 999}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (lambda: b"", "form"),
        (lambda: b"TCS1" + bytes(200), "seal"),
        (lambda: bytes(5_000), "size"),
        (lambda: sealed(encode_command(command()))[:-1], "seal"),
        (lambda: sealed(encode_command(command()), signing_key=FORGER), "signature"),
        (lambda: sealed(encode_command(command()), purpose="rights"), "seal"),
        (lambda: sealed(encode_command(command(site="massiac")), site="massiac"), "seal"),
        (lambda: sealed(encode_command(command(site="massiac"))), "site"),
        (lambda: sealed(b'{"open": "door-01"}'), "content"),
        (lambda: sealed(encode_command(command(issued=T - 30_000))), "expired"),
        (lambda: sealed(encode_command(command(issued=T - 60_001))), "expired"),
    ],
)
def test_whatever_is_not_a_fresh_command_of_our_hub_is_counted_and_nothing_else(
    message: Callable[[], bytes], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    edge = Edge()
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            edge.commands.take(message(), retained=False)
    assert edge.handed_on == []
    assert edge.commands.refused == {reason: 100}
    # A flood of them fills no log: told at 1, 2, 4 ... 64.
    assert len(caplog.messages) == 7
    assert ORDER.key not in caplog.text


def test_a_retained_command_is_refused_unread() -> None:
    edge = Edge()
    edge.commands.take(sealed(encode_command(command())), retained=True)
    assert (edge.handed_on, edge.commands.refused) == ([], {"retained": 1})


def test_a_command_from_before_this_start_is_refused() -> None:
    edge = Edge()
    edge.started_ms = T + 1
    edge.commands.take(sealed(encode_command(command())), retained=False)
    assert (edge.handed_on, edge.commands.refused) == ([], {"before_start": 1})


def test_without_a_clock_to_believe_a_command_is_handed_on_as_untimely_and_once() -> None:
    edge = Edge()
    edge.time = Judged(T - 1, T - 1, "high_water")
    for _ in range(2):
        edge.commands.take(sealed(encode_command(command())), retained=False)
    edge.time = Judged(T + 1, T, "clock")
    edge.commands.take(sealed(encode_command(command())), retained=False)
    assert edge.handed_on == [(f"{0:032x}", False)]


def test_what_has_surely_expired_is_not_even_answered_without_a_clock() -> None:
    edge = Edge()
    edge.time = Judged(T + 30_000, T + 30_000, "high_water")
    edge.commands.take(sealed(encode_command(command())), retained=False)
    assert (edge.handed_on, edge.commands.refused) == ([], {"expired": 1})
