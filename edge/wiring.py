"""From the settings to what runs: the plan that the core decides by, and one thread for each device."""

from dataclasses import dataclass
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from edge.config import (
    DeskSettings,
    EdgeSettings,
    SiteKeys,
    read_bookings_secret,
    read_display_password,
)
from edge.core.door import DoorRules
from edge.core.occupancy import PresenceRules
from edge.core.opening import parse_opening
from edge.core.plan import Plan
from edge.core.reader import ReaderRules
from edge.core.room import RoomRules
from edge.core.site import RIGHTS
from edge.devices.badge_reader import BadgeReader
from edge.devices.bookings import Bookings, Feed, WebBookings
from edge.devices.device import Clock, DeviceThread, Driver, OnCrash
from edge.devices.display import Ask, Display
from edge.devices.door import Door, Strike
from edge.devices.indicator import Indicator
from edge.devices.port import Port, is_pty
from edge.devices.presence_pin import PresencePin
from edge.devices.presence_radar import PresenceRadar
from edge.devices.rights_list import RightsKeys, RightsReader
from edge.protocols import pjlink, samsung_mdc
from edge.protocols.ld2410_config import Parameters
from edge.radar_file import read_radar_file
from edge.room_settings import PjlinkDisplay, RoomSettings, SamsungDisplay, bookings_of, display_of
from edge.sensor_settings import PinSensor, RadarSensor, limits_of
from host.settings import SettingsError

PIR_BRIDGE_S = 5.0
"""A PIR is blind for some 2.5 s after each pulse; twice that, and the movement before it goes on."""

SIMULATED_PINS = "telecentre-sim"
"""The name under which gpiozero finds the simulators' pins."""


def plan_of(settings: EdgeSettings) -> Plan:
    """Return what the core needs to know of the site."""
    return Plan(
        site=settings.site,
        zone=ZoneInfo(settings.time_zone),
        uid_badges=settings.rights.uid_badges,
        reader_rules=ReaderRules(**settings.access.model_dump()),
        alive_interval_s=settings.alive_interval_s,
        doors={
            door.id: DoorRules(door.id, door.pulse_s, door.held_open_s, contact=door.contact_pin is not None)
            for door in settings.door
        },
        readers={reader.id: reader.door for reader in settings.reader},
        desks={desk.id: _presence_rules(desk) for desk in settings.desk},
        rooms={
            room.id: RoomRules(
                id=room.id,
                presence=_presence_rules(room),
                ghost_after_s=room.ghost_after_s,
                bookings_kept_s=room.bookings_kept_s,
                bookings=bookings_of(room.id) if room.bookable else None,
                display=display_of(room.id) if room.display is not None else None,
                confidential=room.confidential,
            )
            for room in settings.room
        },
        devices=_kinds(settings),
        limits={sensor.id: limits_of(sensor) for sensor in settings.sensors()},
        opening=parse_opening(settings.opening_hours, ZoneInfo(settings.time_zone)) if settings.opening_hours else None,
    )


@dataclass(frozen=True, slots=True)
class Devices:
    """Every thread that touches hardware, and the two outputs that the main thread drives: strikes and indicators."""

    threads: list[DeviceThread]
    strikes: dict[str, Strike]
    indicators: dict[str, Indicator]
    readers: dict[str, BadgeReader]
    rights: RightsReader | None


def devices_of(
    settings: EdgeSettings, keys: SiteKeys, *, boot: str | None, clock: Clock, random: Random, on_crash: OnCrash
) -> Devices:
    """Return the site's devices, not yet started; without a `boot` (a mere look) nobody takes lists of rights."""
    strikes = {door.id: Strike(door.id, on_crash) for door in settings.door}
    indicators = {reader.id: Indicator(reader) for reader in settings.reader}
    readers: dict[str, BadgeReader] = {}
    drivers: dict[str, Driver] = {door.id: Door(door, strikes[door.id]) for door in settings.door}
    rights = None
    if boot is not None:
        rights = RightsReader(settings.site, settings.rights.folder, rights_keys_of(settings, keys), boot)
        drivers[RIGHTS] = rights
    for reader in settings.reader:
        if keys.site_key is None:
            raise ValueError("a badge reader needs the site key")
        port = Port(reader.port, simulated=settings.simulated)
        readers[reader.id] = BadgeReader(
            reader.id,
            port,
            keys.site_key,
            uid_badges=settings.rights.uid_badges,
            relay_limit_s=reader.relay_limit_ms / 1000,
        )
        drivers[reader.id] = readers[reader.id]
        drivers[light_of(reader.id)] = indicators[reader.id]
    wanted = radar_files(settings)
    for sensor in settings.sensors():
        drivers[sensor.id] = _sensor(sensor, wanted.get(sensor.id), simulated=settings.simulated)
    for room in settings.room:
        drivers |= _of_room(room, ZoneInfo(settings.time_zone))
    threads = [
        DeviceThread(name, drivers[name], clock=clock, random=random, on_crash=on_crash)
        for name in _kinds(settings)
        if name in drivers
    ]
    return Devices(threads, strikes, indicators, readers, rights)


def rights_keys_of(settings: EdgeSettings, keys: SiteKeys) -> RightsKeys:
    """Return what verifies and opens a list of rights."""
    return RightsKeys(bytes.fromhex(settings.rights.hub_key), keys.rights_key)


def refuse_simulated(settings: EdgeSettings, pin_factory: str | None) -> None:
    """Refuse simulated devices in a real installation: a door must not obey whoever can write to a socket.

    `pin_factory` is the value of GPIOZERO_PIN_FACTORY.

    Raises:
        SettingsError: a port is a pseudo-terminal, or the pins are simulated, and the settings do not allow it.
    """
    if settings.simulated:
        return
    if pin_factory == SIMULATED_PINS:
        raise SettingsError(
            f"GPIOZERO_PIN_FACTORY={SIMULATED_PINS} simulates the pins, which is allowed only with 'simulated = true'"
        )
    for reader in settings.reader:
        _refuse_pty(reader.id, reader.port)
    for sensor in settings.sensors():
        if isinstance(sensor, RadarSensor):
            _refuse_pty(sensor.id, sensor.port)


def radar_files(settings: EdgeSettings) -> dict[str, Parameters]:
    """Return what each radar that names a file should keep in flash.

    Raises:
        SettingsError: a file cannot be read, or says something impossible.
    """
    radars = [sensor for sensor in settings.sensors() if isinstance(sensor, RadarSensor)]
    return {radar.id: read_radar_file(radar.settings_file) for radar in radars if radar.settings_file is not None}


def _refuse_pty(device: str, port: str) -> None:
    if is_pty(port):
        raise SettingsError(
            f"the port '{port}' of '{device}' is a simulated device, which is allowed only with 'simulated = true'"
        )


def light_of(reader: str) -> str:
    """Return the device id of the light and buzzer beside a reader."""
    return f"{reader}-light"


def _kinds(settings: EdgeSettings) -> dict[str, str]:
    """Return every device and its kind, doors first: they are what must work before all else."""
    kinds = {door.id: "door" for door in settings.door}
    kinds[RIGHTS] = "rights"
    for reader in settings.reader:
        kinds[reader.id] = "reader"
        if (reader.granted_pin, reader.refused_pin, reader.buzzer_pin) != (None, None, None):
            kinds[light_of(reader.id)] = "light"
    kinds |= {sensor.id: sensor.kind for sensor in settings.sensors()}
    kinds |= {bookings_of(room.id): "bookings" for room in settings.room if room.bookable}
    kinds |= {display_of(room.id): room.display.kind for room in settings.room if room.display is not None}
    return kinds


def _presence_rules(place: DeskSettings | RoomSettings) -> PresenceRules:
    has_pir = any(isinstance(sensor, PinSensor) and sensor.type == "pir" for sensor in place.sensor)
    return PresenceRules(
        tuple(sensor.id for sensor in place.sensor),
        place.settle_s,
        place.hold_s,
        bridge_s=PIR_BRIDGE_S if has_pir else 0.0,
        in_service=not place.out_of_service,
    )


def _sensor(sensor: PinSensor | RadarSensor, wanted: Parameters | None, *, simulated: bool) -> Driver:
    if isinstance(sensor, PinSensor):
        return PresencePin(
            sensor.id,
            sensor.pin,
            active_high=sensor.active_high,
            bounces=sensor.type != "pir",
            loop_pin=sensor.loop_pin,
        )
    return PresenceRadar(sensor.id, Port(sensor.port, simulated=simulated), wanted)


def _of_room(room: RoomSettings, zone: ZoneInfo) -> dict[str, Driver]:
    """Return the drivers of a room's calendar and display, as far as it has them."""
    drivers: dict[str, Driver] = {}
    if room.bookings_file is not None:
        drivers[bookings_of(room.id)] = Bookings(room.id, room.bookings_file, zone)
    if room.bookings_url is not None:
        feed = Feed(
            room.bookings_url.get_secret_value(),
            room.bookings_every_s,
            room.bookings_login,
            partial(read_bookings_secret, room),
            room.bookings_ca_file,
        )
        drivers[bookings_of(room.id)] = WebBookings(room.id, feed, zone)
    if room.display is not None:
        drivers[display_of(room.id)] = _display(room, room.display)
    return drivers


def _display(room: RoomSettings, display: SamsungDisplay | PjlinkDisplay) -> Driver:
    ask: Ask = pjlink.PowerQuestion
    if isinstance(display, SamsungDisplay):
        ask = partial(_ask_samsung, display.display_id)
    return Display(room.id, (display.host, display.port), ask, partial(read_display_password, room), display.poll_s)


def _ask_samsung(display_id: int, _: bytes) -> samsung_mdc.PowerQuestion:
    return samsung_mdc.PowerQuestion(display_id)
