"""The PN532 badge reader through unmodified nfcpy: one thread, its own sense loop, one report per presentation.

A card that speaks ISO-DEP is asked for its proof (edge/devices/card.py); another one has only its number. The number
never leaves this thread: it is hashed with the site key before anything is reported. Neither a number nor a key appears
in a log or an exception text. Nothing but this thread closes the reader (nfcpy's lock is unfair: seconds were
measured).
"""

import errno
import logging
import termios
from collections.abc import Mapping
from typing import Any

import nfc.clf
import nfc.clf.pn53x
import nfc.clf.pn532
import nfc.clf.transport
import serial

from contract.credentials import uid_hash
from edge.core.observations import CardRefusal, CardTried, CredentialSeen, EnrolmentStopped
from edge.devices.card import CONVERSATION_S, ISO_DEP_SAK, Card, Shown, ask_badge, card_refusal, draw, is_alone
from edge.devices.device import DeviceError, DeviceThread
from edge.devices.enrolment import MAY_BECOME_A_BADGE, PERSONALISATION_S, Attempt, Desk, Order
from edge.devices.port import Port

log = logging.getLogger(__name__)

INTERVAL_S = 0.06
"""Between two looks into the field: about 2 % of one core, and 30 ms of waiting on average."""

BUSY_INTERVAL_S = 0.02
BUSY_FOR_S = 0.5
"""Where a card has just been there is a queue: the next one is looked for sooner."""

GONE_AFTER_LOOKS = 3
GONE_AFTER_S = 0.2
"""A card at the edge of the field is missed now and then: it has gone when it was missed so often and for so long."""

SLOW_LOOK_S = 0.5
MAX_SLOW_LOOKS = 3
"""A look takes some 6 ms; a reader that has become this slow is opened again (nfcpy issue 62). One slow look says more
about the machine than about the reader: it is noise."""

REOPEN_AFTER_S = 4 * 3600.0
"""Some readers become slow after hours of idleness, without a known cause (nfcpy issue 62)."""

FAILING_FOR_S = 2.0
"""Looks that fail in passing are noise until they have failed for so long: a machine that stood still for a second (a
look fails after 0.1 s without an answer) is no broken reader."""

TRIES = 3
"""A card that comes into the field is at its edge first, and a machine under load answers late now and then: a card
that was not understood is asked again at the next look, before anybody is told."""

_NOISE = (OSError, IndexError, nfc.clf.pn53x.Chipset.Error, nfc.clf.Error)
_TROUBLE = (*_NOISE, termios.error)
"""Everything that nfcpy lets out (termios.error is not an OSError)."""

_PASSING = {errno.EIO, errno.ETIMEDOUT}
"""A bad checksum and a late answer: the next look works."""

_GET_FIRMWARE_VERSION = bytes(10) + bytes.fromhex("0000ff02fed4022a00")
_FIRMWARE_VERSION = bytes.fromhex("0000ff06fad50332")
_SLOW_DOWN = bytes.fromhex("0000ff03fdd410041800")
_ACK = bytes.fromhex("0000ff00ff00")
FIRST_BAUD_RATE_BD = 115_200
OTHER_BAUD_RATES_BD = (921_600, 460_800, 230_400)
RECOVERY_WAIT_S = 0.1

WRITE_TIMEOUT_S = 1.0
"""A frame takes some milliseconds; a line that takes nothing for so long is dead."""


class BadgeReader:
    """One reader on one port.

    `uid_badges` says whether a card may be known by its number alone, `relay_limit_s` how late a badge may answer.
    """

    def __init__(self, reader: str, port: Port, site_key: bytes, *, uid_badges: bool, relay_limit_s: float) -> None:
        self.id = reader
        self.port = port
        self.site_key = site_key
        self.uid_badges = uid_badges
        self.relay_limit_s = relay_limit_s
        self.keys: Mapping[bytes, bytes] = {}
        self.desk = Desk()

    def know(self, keys: Mapping[bytes, bytes]) -> None:
        """Ask badges for these keys (badge id to key) from the next card on; fit for any thread."""
        # One assignment: the reader's thread sees the old badges or the new ones, never a mixture.
        self.keys = keys

    def may_be_back(self) -> bool:
        """Return whether the port has come back."""
        return self.port.may_be_back()

    def session(self, device: DeviceThread) -> None:
        """Look into the field until the reader fails, is slow, or has been open for long."""
        self.port.check()
        frontend = self._open()
        try:
            device.ready()
            _Field(self, device).watch(frontend)
        finally:
            _close(frontend)

    def _open(self) -> Any:  # noqa: ANN401  # nfcpy has no types
        try:
            return _open(self.port.path)
        except _TROUBLE as error:
            log.info("reader=%s does not answer at its first speed: %s", self.id, error)
        # A program that was killed leaves the chip at the speed it had negotiated.
        try:
            if slow_down(self.port.path):
                return _open(self.port.path)
        except _TROUBLE as error:
            raise self.port.trouble(error, "silent") from error
        raise DeviceError("silent", f"{self.port.path}: no PN532 answers at any speed")


class _Field:
    """What is remembered while the reader is open."""

    def __init__(self, reader: BadgeReader, device: DeviceThread) -> None:
        self._reader = reader
        self._port = reader.port
        self._device = device
        self._card: bytes | None = None
        self._tried: bytes | None = None
        self._tries = 0
        self._missed_looks = 0
        self._seen_s = self._new_s = float("-inf")
        self._failing_since_s: float | None = None
        self._slow_looks = 0
        self._served: str | None = None
        self._refused = False

    def watch(self, frontend: Any) -> None:  # noqa: ANN401  # nfcpy has no types
        """Report each presentation once.

        Raises:
            DeviceError: the reader is unplugged, or its looks have failed for seconds.
        """
        opened_s = self._now_s()
        while not self._device.stopping.wait(self._interval_s()):
            began_s = ended_s = self._now_s()
            self._serve()
            try:
                target = frontend.sense(nfc.clf.RemoteTarget("106A"))
                ended_s = self._now_s()
                self._see(frontend, target)
                self._failing_since_s = None
                self._seen_s = self._seen_s if target is None else self._now_s()
            except termios.error as error:
                raise self._port.trouble(error, "unplugged") from error
            except _NOISE as error:
                ended_s = self._now_s()
                self._fail(error, began_s)
            # A slow card says nothing about the reader: only the look itself counts.
            if self._is_slow(ended_s - began_s, ended_s - opened_s):
                return
            if ended_s - opened_s > REOPEN_AFTER_S and self._card is None:
                return

    def _now_s(self) -> float:
        return self._device.clock().mono_s

    def _interval_s(self) -> float:
        return BUSY_INTERVAL_S if self._now_s() - self._new_s < BUSY_FOR_S else INTERVAL_S

    def _see(self, frontend: Any, target: Any) -> None:  # noqa: ANN401  # nfcpy has no types
        if target is None:
            self._missed_looks += 1
            if self._missed_looks >= GONE_AFTER_LOOKS and self._now_s() - self._seen_s >= GONE_AFTER_S:
                self._forget()
            return
        self._missed_looks = 0
        uid, sak = bytes(target.sdd_res or b""), target.sel_res[0] if target.sel_res else 0
        kind = card_refusal(sak, uid)
        # A phone draws a number at each look: its kind stands for it, or one phone would be a dozen presentations.
        card = kind.encode() if kind in ("phone", "random_uid") else uid
        if card == self._card:
            return
        if card != self._tried:
            self._tried, self._tries = card, 0
            self._new_s = self._now_s()
        speaks = bool(sak & ISO_DEP_SAK) and kind in (None, "random_uid")
        shown = self._ask(frontend, target) if speaks else Shown(refusal="wrong_application")
        if not self._is_settled(shown):
            return
        order = self._reader.desk.order()
        if order is not None and speaks and shown.refusal in MAY_BECOME_A_BADGE:
            made = self._make(frontend, order, card, shown)
            if made is None:
                return
            shown = made
        if shown.refusal == "wrong_application":
            shown = self._by_number(kind, uid, speaks=speaks)
        # A card that proved itself does so whatever lies beside it. Of two numbers chance would choose one, at an
        # enrolment too.
        if shown.badge is None and not is_alone(frontend):
            shown = Shown(refusal="two_cards")
        self._card, self._tried = card, None
        self._report(shown)

    def _ask(self, frontend: Any, target: Any) -> Shown:  # noqa: ANN401  # nfcpy has no types
        card, reader = self._card_of(frontend, target, CONVERSATION_S), self._reader
        return ask_badge(card, reader.keys, draw, relay_limit_s=reader.relay_limit_s)

    def _card_of(self, frontend: Any, target: Any, for_s: float) -> Card:  # noqa: ANN401  # nfcpy has no types
        until_s = self._now_s() + for_s

        def left_s() -> float:
            return 0.0 if self._device.stopping.is_set() else until_s - self._now_s()

        return Card(frontend, target, clock=self._now_s, left_s=left_s)

    def _serve(self) -> None:
        """Look after the order between two cards; a refused card that lies here already is looked at again for it."""
        stopped, order = self._reader.desk.stopped(), self._reader.desk.order()
        if stopped is not None:
            self._device.emit(EnrolmentStopped(self._device.clock(), self._reader.id, stopped))
        if order is not None and order.command != self._served:
            self._served = order.command
            if self._refused:
                self._card = None

    def _make(self, frontend: Any, order: Order, card: bytes, shown: Shown) -> Shown | None:  # noqa: ANN401  # nfcpy
        """Make a badge of a card; return what is to be reported of it as of any other, None when nothing is."""
        if not is_alone(frontend):
            return Shown(refusal="two_cards")
        # Whoever asked whether it is alone has taken its power: it is found anew.
        target = frontend.sense(nfc.clf.RemoteTarget("106A"))
        attempt, ended = Attempt(order), False
        try:
            if target is not None:
                attempt.hold(self._card_of(frontend, target, PERSONALISATION_S), self._reader.keys, draw)
        finally:
            ended = self._has_ended(attempt)
        if attempt.result == "wrong_application":
            return shown
        if ended:
            self._card, self._tried, self._refused = card, None, attempt.result == "not_blank"
        return None

    def _has_ended(self, attempt: Attempt) -> bool:
        """Tell what came of a card; return whether it has had its say, or is tried again at the next look."""
        order, result = attempt.order, attempt.result
        self._reader.desk.tried(order, result)
        if result == "wrong_application":
            return True
        self._tries += 1
        ended = result in ("done", "already_ours") or (result == "not_blank" and self._tries >= TRIES)
        if ended or (self._tries <= TRIES if result == "uncertain" else self._tries == TRIES):
            self._device.emit(CardTried(self._device.clock(), self._reader.id, order.command, result))
        return ended

    def _is_settled(self, shown: Shown) -> bool:
        """Return whether the card has had its say. One that is still too far away is told so, and asked on."""
        if shown.refusal not in ("pulled_away", "late", "unreadable"):
            return True
        self._tries += 1
        if shown.refusal != "pulled_away":
            return self._tries >= TRIES
        if self._tries == TRIES:
            self._report(shown)
        return False

    def _by_number(self, kind: CardRefusal | None, uid: bytes, *, speaks: bool) -> Shown:
        """Return what a card without our application is in the UID class: known by its number, or why it has none."""
        if kind is not None:
            return Shown(refusal=kind)
        if speaks and not self._reader.uid_badges:
            return Shown(refusal="wrong_application")
        return Shown(uid_hash=uid_hash(self._reader.site_key, uid))

    def _forget(self) -> None:
        """Be ready for the next card; one that left before it had its say is told to stay."""
        if self._tried is not None and self._tries < TRIES:
            self._report(Shown(refusal="pulled_away"))
        self._card = self._tried = None

    def _report(self, shown: Shown) -> None:
        at, reader, self._refused = self._device.clock(), self._reader.id, shown.refusal is not None
        self._device.emit(CredentialSeen(at, reader, shown.uid_hash, shown.refusal, shown.badge))

    def _fail(self, error: Exception, began_s: float) -> None:
        """Count a failed look as noise, or end the session."""
        if self._failing_since_s is None:
            self._failing_since_s = began_s
        passing = not isinstance(error, OSError) or error.errno in _PASSING
        if passing and self._device.clock().mono_s - self._failing_since_s < FAILING_FOR_S:
            self._device.noise(1)
            return
        if isinstance(error, serial.SerialException):
            raise self._port.trouble(error, "unplugged") from error
        raise self._port.trouble(error, "silent" if isinstance(error, OSError) else "garbled") from error

    def _is_slow(self, took_s: float, open_for_s: float) -> bool:
        """Return whether the reader has become slow and must be opened again.

        Raises:
            DeviceError: it is slow although it was opened less than a minute ago.
        """
        self._slow_looks = self._slow_looks + 1 if took_s > SLOW_LOOK_S else 0
        if self._slow_looks < MAX_SLOW_LOOKS:
            return False
        log.warning("reader=%s looks take %.1f s: opening it again", self._reader.id, took_s)
        if open_for_s < 60:
            raise DeviceError("silent", f"{self._port.path}: looks take {took_s:.1f} s")
        return True


class _Line(serial.Serial):
    """A serial line whose read timeout changes at no cost.

    nfcpy sets it before every read, and pyserial then asks the kernel for all settings of the port: a fifth of what an
    idle reader costs.
    """

    @property
    def timeout(self) -> float | None:
        """The longest wait of a read, in seconds."""
        return self._timeout

    @timeout.setter
    def timeout(self, timeout_s: float | None) -> None:
        self._timeout = timeout_s


class _Transport(nfc.clf.transport.TTY):  # type: ignore[misc]  # nfcpy has no types
    """nfcpy's serial transport on a line that nobody else may open."""

    def open(self, port: str, baudrate: int = FIRST_BAUD_RATE_BD) -> None:
        """Open the port anew at another speed."""
        self.close()
        self.tty = _Line(port, baudrate, timeout=0.05, write_timeout=WRITE_TIMEOUT_S, exclusive=True)


def _open(path: str) -> Any:  # noqa: ANN401  # nfcpy has no types
    """Return an open nfcpy frontend on any serial port.

    nfcpy's own search knows only some names in /dev: the device is therefore made by its parts, as its search does.
    """
    transport = _Transport(path)
    try:
        chip = nfc.clf.pn532.init(transport)
    except BaseException:
        _close_transport(transport)
        raise
    chip._path = path  # noqa: SLF001  # nfcpy's search sets it; its log lines need it
    frontend = nfc.clf.ContactlessFrontend()
    frontend.device = chip
    return frontend


def _close(frontend: Any) -> None:  # noqa: ANN401  # nfcpy has no types
    """Put the chip back to its first speed and close the port; a port that has gone is closed all the same."""
    transport = frontend.device.chipset.transport
    try:
        frontend.close()
    except _TROUBLE as error:
        log.debug("closing the reader: %s", error)
    # After a failed close nfcpy keeps its device, and would try to close it again at the next opening.
    frontend.device = None
    _close_transport(transport)


def _close_transport(transport: Any) -> None:  # noqa: ANN401  # nfcpy has no types
    line, transport.tty = transport.tty, None
    if line is not None:
        line.close()


def slow_down(path: str) -> bool:
    """Return whether a PN532 answers at `path`, after bringing it back to 115,200 baud from whatever it was left at."""
    for baud_rate_bd in (FIRST_BAUD_RATE_BD, *OTHER_BAUD_RATES_BD):
        with serial.Serial(
            path, baud_rate_bd, timeout=RECOVERY_WAIT_S, write_timeout=WRITE_TIMEOUT_S, exclusive=True
        ) as line:
            line.write(_ACK + _GET_FIRMWARE_VERSION)
            if _FIRMWARE_VERSION not in line.read(64):
                continue
            if baud_rate_bd != FIRST_BAUD_RATE_BD:
                line.write(_SLOW_DOWN)
                line.read(64)
                # The chip changes its speed once the host has confirmed the answer.
                line.write(_ACK)
                line.flush()
            return True
    return False
