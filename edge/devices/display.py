"""A room's display over TCP: asked for its power, with one connection for each question.

Many displays close their socket in standby: one that has answered before and takes no connection now is in standby as
far as we know, and a fault after a week only. One that takes the connection and then says nothing, or nonsense, is a
fault after a few tries.
"""

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from contract.events import Fault
from edge.core.observations import DisplayRead, Power
from edge.devices.device import DeviceError, DeviceThread
from edge.protocols.display import GarbledError, Question, RefusedError
from host.settings import SettingsError

log = logging.getLogger(__name__)

CONNECT_WITHIN_S = 2.0
ANSWER_WITHIN_S = 2.0
"""Both together stay below what the agent waits for a device at its stop."""

MAX_READ_BYTES = 1024

PATIENCE_TRIES = 3
"""A display that is busy with its own start leaves a question or two without an answer."""

STANDBY_TRIES = 2
"""A connection that breaks once is no standby."""

ABSENT_AFTER_S = 7 * 86_400.0
"""A screen is switched off for a weekend; one that was not heard for a week may have been carried away."""

REFUSED_WAIT_S = 1_800.0
"""A password does not become right by trying: some displays lock their network after a few wrong ones."""

Ask = Callable[[bytes], Question]
"""From the password to a question."""


class _ClosedError(Exception):
    """Nobody is at the port, or it was closed without a word."""


class _NoAnswerError(Exception):
    """The display was there and gave no whole answer."""


class Display:
    """One display. `password` is asked for at each question: it may raise SettingsError."""

    def __init__(
        self, room: str, address: tuple[str, int], ask: Ask, password: Callable[[], bytes], poll_s: float
    ) -> None:
        self._room = room
        self._address = address
        self._ask = ask
        self._password = password
        self._poll_s = poll_s
        self._refused: bytes | None = None
        self._begun_s: float | None = None
        self._answered_s: float | None = None
        self._misses = 0
        self._closes = 0
        self._told: Power | None = None

    def may_be_back(self) -> bool:
        """Return whether the password is another than the one that was refused."""
        with suppress(SettingsError):
            return self._refused is not None and self._password() != self._refused
        return False

    def session(self, device: DeviceThread) -> None:
        """Ask for the power again and again, and report it when it changes."""
        self._told = None
        if self._begun_s is None:
            self._begun_s = device.clock().mono_s
        while not device.stopping.is_set():
            power = self._power(device)
            if power is not None and power != self._told:
                if self._told is None:
                    device.ready()
                self._told = power
                device.emit(DisplayRead(device.clock(), self._room, power))
            device.rest(self._poll_s)

    def _power(self, device: DeviceThread) -> Power | None:
        """Return what is known of the power after one more question, None for nothing new."""
        try:
            password = self._password()
        except SettingsError as error:
            raise DeviceError("unreadable", str(error)) from error
        question = self._ask(password)
        try:
            power = self._answer(question)
        except RefusedError as error:
            self._refused = password
            raise DeviceError("refused", f"{error}; asked again in half an hour", wait_s=REFUSED_WAIT_S) from error
        except _ClosedError as error:
            return self._closed(device, str(error))
        except GarbledError as error:
            self._missed("garbled", str(error))
        except _NoAnswerError as error:
            self._missed("silent", str(error))
        else:
            self._refused, self._misses, self._closes = None, 0, 0
            self._answered_s = device.clock().mono_s
            return power
        finally:
            device.noise(question.noise_count)
        return None

    def _closed(self, device: DeviceThread, sentence: str) -> Power | None:
        """Return `standby` for a display that has answered before."""
        self._closes += 1
        if self._answered_s is None and self._closes == 1:
            # No fault, for it may sleep; but whoever installs it wants to know. systemd lets such packets vanish.
            log.info("device=%s not heard yet: %s; asleep, not there, or not allowed by the unit", device.id, sentence)
        now_s = device.clock().mono_s
        heard_s = self._answered_s if self._answered_s is not None else self._begun_s
        if heard_s is not None and now_s - heard_s >= ABSENT_AFTER_S:
            raise DeviceError("absent", f"{sentence}, for a week now")
        if self._answered_s is None or self._closes < STANDBY_TRIES:
            return None
        self._misses = 0
        return "standby"

    def _missed(self, fault: Fault, sentence: str) -> None:
        self._misses += 1
        if self._misses >= PATIENCE_TRIES or self._answered_s is None:
            raise DeviceError(fault, sentence)

    def _answer(self, question: Question) -> Power:
        """Return what a display answers over a connection of its own, closed in any case."""
        where = f"{self._address[0]} port {self._address[1]}"
        try:
            connection = socket.create_connection(self._address, CONNECT_WITHIN_S)
        except PermissionError as error:
            raise DeviceError("absent", f"the system does not let us reach {where}: see systemd/README.md") from error
        except OSError as error:
            raise _ClosedError(f"nothing answers at {where} ({error.strerror or error})") from error
        with connection:
            return _converse(connection, question, where)


def _converse(connection: socket.socket, question: Question, where: str) -> Power:
    """Return the power once the answer is whole; a late, broken or foreign one is told as what it is."""
    heard_count = 0
    until_s = time.monotonic() + ANSWER_WITHIN_S
    try:
        connection.sendall(question.opening())
        while question.power is None:
            # A timeout of nothing would mean to wait for ever.
            connection.settimeout(max(until_s - time.monotonic(), 0.001))
            data = connection.recv(MAX_READ_BYTES)
            if not data:
                break
            heard_count += len(data)
            connection.sendall(question.take(data))
    except TimeoutError as error:
        raise _trouble(question, f"the display at {where} takes the connection and does not answer") from error
    except OSError as error:
        if not heard_count:
            raise _ClosedError(f"{where} closes the connection without a word") from error
    if question.power is not None:
        return question.power
    if not heard_count:
        raise _ClosedError(f"{where} closes the connection without a word")
    raise _trouble(question, f"the display at {where} closes the connection in the middle of its answer")


def _trouble(question: Question, sentence: str) -> Exception:
    return GarbledError("what answers speaks another protocol") if question.noise_count else _NoAnswerError(sentence)
