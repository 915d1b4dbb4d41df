"""The LD2410 radar over pyserial: 256,000 baud, ten reports a second, of which only changes and a heartbeat go on.

At the beginning, and once an hour, the module is asked for its firmware and its settings, which takes some 0.3 s
without reports. A module that does not answer commands (its RX wire is loose) still counts by its reports.
"""

import logging

from edge.core.moment import Moment
from edge.core.observations import PresenceRead, RadarIdentified
from edge.devices.device import DeviceError, DeviceThread
from edge.devices.port import Port
from edge.devices.radar_line import SILENT_AFTER_S, RadarLine
from edge.protocols.ld2410 import (
    MAX_FRAME_BYTES,
    READ_FIRMWARE,
    Frame,
    FrameError,
    decode_firmware,
    decode_reply,
    decode_report,
)
from edge.protocols.ld2410_config import (
    ASK_FIRMWARE,
    ASK_PARAMETERS,
    ENABLE,
    END,
    READ_PARAMETERS,
    STOP_ENGINEERING,
    CommandError,
    Conversation,
    Parameters,
    decode_parameters,
)

log = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
READ_EVERY_S = 0.2
"""Two reports at a time: a state needs seconds, and to wake up for each one was a third of what an idle site cost."""

ASK_EVERY_S = 3600.0
"""A module can be set from a telephone (the LD2410B and C have Bluetooth): that is noticed within the hour."""

_QUESTIONS = (ENABLE, ASK_FIRMWARE, ASK_PARAMETERS, STOP_ENGINEERING, END)
"""A session cut while configuring leaves the module mute or in its engineering mode: it is asked to end both."""


class PresenceRadar:
    """One radar on one port; nobody else may open the port meanwhile. `wanted` are the settings of its file."""

    def __init__(self, sensor: str, port: Port, wanted: Parameters | None = None) -> None:
        self._sensor = sensor
        self._port = port
        self._wanted = wanted

    def may_be_back(self) -> bool:
        """Return whether the port has come back."""
        return self._port.may_be_back()

    def session(self, device: DeviceThread) -> None:
        """Read reports until the module is unplugged or silent."""
        with RadarLine(self._port) as line:
            _Session(self._sensor, device, self._wanted, line).run()


class _Session:
    """What is remembered while the port is open."""

    def __init__(self, sensor: str, device: DeviceThread, wanted: Parameters | None, line: RadarLine) -> None:
        self._sensor = sensor
        self._device = device
        self._wanted = wanted
        self._line = line
        self._present: bool | None = None
        self._told_s = 0.0
        self._heard_s = device.clock().mono_s
        self._heard_bytes = 0
        self._asked_s = self._heard_s
        self._conversation: Conversation | None = Conversation(_QUESTIONS)

    def run(self) -> None:
        line = self._line
        while not self._device.stopping.is_set():
            line.write(self._say())
            noise_before = line.noise_count
            for frame in line.frames():
                self._take(frame)
            self._device.noise(line.noise_count - noise_before)
            self._judge_silence()
            if self._conversation is None:
                self._device.stopping.wait(READ_EVERY_S)

    def _judge_silence(self) -> None:
        """End a session in which nothing was understood for two seconds: whether anything was said makes the fault."""
        if self._device.clock().mono_s - self._heard_s <= SILENT_AFTER_S:
            return
        if self._line.bytes_count - self._heard_bytes > MAX_FRAME_BYTES:
            raise DeviceError("garbled", f"what speaks here is no LD2410: no report in {SILENT_AFTER_S:.0f} s")
        raise DeviceError("silent", f"no report for {SILENT_AFTER_S:.0f} s")

    def _say(self) -> bytes:
        now_s = self._device.clock().mono_s
        if self._conversation is None and now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s, self._conversation = now_s, Conversation(_QUESTIONS)
        try:
            return b"" if self._conversation is None else self._conversation.say(now_s)
        except CommandError as error:
            self._give_up(error)
            return b""

    def _give_up(self, error: CommandError) -> None:
        """Ask no more for now; a module that was left in its configuration is silent, and a new session wakes it."""
        log.info("device=%s unidentified: %s", self._sensor, error)
        self._conversation = None if error.reason == "silent" else Conversation([END])

    def _take(self, frame: Frame) -> None:
        try:
            if frame.kind == "report":
                self._report(present=decode_report(frame.payload).present)
            elif self._conversation is not None:
                self._conversation.take(decode_reply(frame.payload))
                self._hear()
                if self._conversation.finished:
                    self._identify(self._conversation)
        except FrameError:
            self._device.noise(1)
        except CommandError as error:
            self._give_up(error)

    def _identify(self, conversation: Conversation) -> None:
        self._conversation = None
        if not conversation.value_of(READ_FIRMWARE):
            return  # the end of a conversation that was given up
        firmware = decode_firmware(conversation.value_of(READ_FIRMWARE))
        settings = decode_parameters(conversation.value_of(READ_PARAMETERS))
        drifted = self._wanted is not None and settings != self._wanted
        log.info("device=%s radar firmware=%s settings=%s drifted=%s", self._sensor, firmware, settings, drifted)
        at = self._device.clock()
        self._device.emit(RadarIdentified(at, self._sensor, firmware, str(settings), drifted))

    def _hear(self) -> Moment:
        """Note that something was understood."""
        at = self._device.clock()
        self._heard_s, self._heard_bytes = at.mono_s, self._line.bytes_count
        return at

    def _report(self, *, present: bool) -> None:
        at = self._hear()
        if self._present is None:
            self._device.ready()
        if present != self._present or at.mono_s - self._told_s >= HEARTBEAT_S:
            self._present, self._told_s = present, at.mono_s
            self._device.emit(PresenceRead(at, self._sensor, present))
