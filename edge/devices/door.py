"""A door's pins: the strike, whose pulse ends by a timer of its own, the contact and the exit button."""

import logging
import threading
import time

from edge.config import DoorSettings
from edge.core import debounce
from edge.core.debounce import HOLDS_AFTER_S, Contact
from edge.core.moment import Moment
from edge.core.observations import DoorContactRead, ExitPressed
from edge.devices.device import DeviceError, DeviceThread, OnCrash
from edge.devices.pins import InputPin, OutputPin

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""A missed edge of the contact is made up for within this time."""

LONGEST_PULSE_S = 30.0
"""Whatever is asked for: the longest pulse that the settings allow."""


class Strike:
    """The pin that releases the door, and the thread that ends each pulse.

    Neither a stuck main thread nor a full inbox keeps a door unlocked.
    """

    def __init__(self, door: str, on_crash: OnCrash) -> None:
        self._door = door
        self._on_crash = on_crash
        self._pin: OutputPin | None = None
        self._until_s: float | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self.failed = False
        """Whether the pin has disobeyed since it was opened."""
        self._thread = threading.Thread(target=self._run, name=f"{door}-strike", daemon=True)

    def start(self) -> None:
        """Start the timer's thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Lock, and end the timer's thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def open(self, pin: int, *, active_high: bool) -> None:
        """Take the pin, de-energised.

        Raises:
            DeviceError: the pin cannot be had.
        """
        opened = OutputPin(pin, active_high=active_high)
        with self._changed:
            self._pin, self.failed = opened, False

    def close(self) -> None:
        """De-energise and give the pin back."""
        with self._changed:
            self._until_s = None
            if self._pin is not None:
                self._pin.close()
            self._pin = None

    def release(self, for_s: float) -> None:
        """Energise for at most `for_s` from now; a pulse under way is replaced. Logs if the pin does not obey."""
        with self._changed:
            self._set(active=True)
            self._until_s = time.monotonic() + min(for_s, LONGEST_PULSE_S)
            self._changed.notify()

    def lock(self) -> None:
        """De-energise now."""
        with self._changed:
            self._until_s = None
            self._set(active=False)

    def _set(self, *, active: bool) -> None:
        if self._pin is None:
            log.error("door=%s the strike cannot be driven: its pin is not open", self._door)
            return
        try:
            self._pin.set(active=active)
        except DeviceError as error:
            self.failed = True
            log.error("door=%s the strike does not obey: %s", self._door, error)  # noqa: TRY400  # trouble, not a bug

    def _run(self) -> None:
        try:
            with self._changed:
                while not self._stopping:
                    self._changed.wait(None if self._until_s is None else max(0.0, self._until_s - time.monotonic()))
                    if self._until_s is not None and time.monotonic() >= self._until_s:
                        self._until_s = None
                        self._set(active=False)
        except Exception as error:  # noqa: BLE001  # the top of a thread: a bug of ours goes to main
            self._on_crash(error)


class Door:
    """One door: its strike for the main thread, and the session that watches its contact and button."""

    def __init__(self, settings: DoorSettings, strike: Strike) -> None:
        self._settings = settings
        self._strike = strike

    def may_be_back(self) -> bool:
        """Return False: pins give no sign of their own."""
        return False

    def session(self, device: DeviceThread) -> None:
        """Open the strike locked, then report the contact's changes and the presses of the button."""
        inputs: list[tuple[InputPin, bool]] = []
        try:
            self._strike.open(self._settings.strike_pin, active_high=self._settings.strike_active_high)
            for number, is_contact in ((self._settings.contact_pin, True), (self._settings.exit_button_pin, False)):
                if number is not None:
                    pin = InputPin(number, active_high=False, clock=device.clock, wake=device.wake)
                    inputs.append((pin, is_contact))
            self._watch(device, inputs)
        finally:
            self._strike.close()
            for pin, _ in inputs:
                pin.close()

    def _watch(self, device: DeviceThread, inputs: list[tuple[InputPin, bool]]) -> None:
        device.ready()
        contacts = [Contact(pin.active) for pin, _ in inputs]
        for (_, is_contact), contact in zip(inputs, contacts, strict=True):
            if is_contact:
                device.emit(DoorContactRead(device.clock(), device.id, closed=contact.active))
        while not device.stopping.is_set():
            leaning = any(contact.leaning is not None for contact in contacts)
            device.rest(HOLDS_AFTER_S / 2 if leaning else LOOK_S)
            for index, (pin, is_contact) in enumerate(inputs):
                contacts[index] = self._look(device, pin, contacts[index], is_contact=is_contact)
            if self._strike.failed:
                raise DeviceError("refused", "the strike does not obey")

    def _look(self, device: DeviceThread, pin: InputPin, contact: Contact, *, is_contact: bool) -> Contact:
        now = device.clock()
        levels = [*((edge.at, edge.active) for edge in pin.edges()), (now, pin.active)]
        for at, active in levels:
            contact, changed = debounce.settle(contact, at.mono_s)
            self._tell(device, changed, active=contact.active, is_contact=is_contact)
            contact = debounce.lean(contact, at, active=active)
        contact, changed = debounce.settle(contact, now.mono_s)
        self._tell(device, changed, active=contact.active, is_contact=is_contact)
        return contact

    def _tell(self, device: DeviceThread, changed: Moment | None, *, active: bool, is_contact: bool) -> None:
        if changed is not None and is_contact:
            device.emit(DoorContactRead(changed, device.id, closed=active))
        elif changed is not None and active:
            device.emit(ExitPressed(changed, device.id))
