"""The LD2410 radar over pyserial: 256,000 baud, ten reports a second, of which only changes and a heartbeat go on."""

import logging
import termios

import serial

from edge.core.observations import PresenceRead
from edge.devices.device import DeviceError, DeviceThread
from edge.devices.port import Port
from edge.protocols.ld2410 import (
    ENABLE_CONFIG,
    END_CONFIG,
    READ_FIRMWARE,
    Frame,
    FrameError,
    FrameSplitter,
    decode_firmware,
    decode_reply,
    decode_report,
    encode_command,
)

log = logging.getLogger(__name__)

BAUD_RATE_BD = 256_000
SILENT_AFTER_S = 2.0
"""Twenty reports missed."""
HEARTBEAT_S = 2.0
READ_TIMEOUT_S = 0.25
"""How long a stop may have to wait for a read."""
WRITE_TIMEOUT_S = 1.0
MAX_READ_BYTES = 4096
_CHANGE_TO_READY = (
    encode_command(ENABLE_CONFIG, b"\x01\x00") + encode_command(READ_FIRMWARE) + encode_command(END_CONFIG)
)


class PresenceRadar:
    """One radar on one port; nobody else may open the port meanwhile."""

    def __init__(self, sensor: str, port: Port) -> None:
        self._sensor = sensor
        self._port = port

    def may_be_back(self) -> bool:
        """Return whether the port has come back."""
        return self._port.may_be_back()

    def session(self, device: DeviceThread) -> None:
        """Read reports until the module is unplugged or silent."""
        self._port.check()
        try:
            with serial.Serial(
                self._port.path,
                BAUD_RATE_BD,
                timeout=READ_TIMEOUT_S,
                write_timeout=WRITE_TIMEOUT_S,
                exclusive=True,
            ) as line:
                # A session that was cut while configuring leaves the module mute: it is asked to end that in any case.
                line.write(_CHANGE_TO_READY)
                _Session(self._sensor, device).run(line)
        except DeviceError:
            raise
        except (OSError, termios.error) as error:
            raise self._port.trouble(error, "unplugged") from error


class _Session:
    """What is remembered while the port is open."""

    def __init__(self, sensor: str, device: DeviceThread) -> None:
        self._sensor = sensor
        self._device = device
        self._splitter = FrameSplitter()
        self._present: bool | None = None
        self._told_s = 0.0
        self._heard_s = device.clock().mono_s

    def run(self, line: serial.Serial) -> None:
        while not self._device.stopping.is_set():
            data = line.read(max(1, min(line.in_waiting, MAX_READ_BYTES)))
            noise_before = self._splitter.noise_count
            for frame in self._splitter.feed(data):
                self._take(frame)
            self._device.noise(self._splitter.noise_count - noise_before)
            if self._device.clock().mono_s - self._heard_s > SILENT_AFTER_S:
                raise DeviceError("silent", f"no report for {SILENT_AFTER_S:.0f} s")

    def _take(self, frame: Frame) -> None:
        try:
            if frame.kind == "reply":
                self._greet(frame.payload)
            else:
                self._report(present=decode_report(frame.payload).present)
        except FrameError:
            self._device.noise(1)

    def _greet(self, payload: bytes) -> None:
        reply = decode_reply(payload)
        if reply.command == READ_FIRMWARE and reply.succeeded:
            log.info("device=%s radar firmware=%s", self._sensor, decode_firmware(reply.value))

    def _report(self, *, present: bool) -> None:
        at = self._device.clock()
        self._heard_s = at.mono_s
        if self._present is None:
            self._device.ready()
        if present != self._present or at.mono_s - self._told_s >= HEARTBEAT_S:
            self._present, self._told_s = present, at.mono_s
            self._device.emit(PresenceRead(at, self._sensor, present))
