"""The presence sensors of a settings file: sections of edge.config, which alone reads the file."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contract.identity import ResourceId
from edge.core.sensor import HOUR_S, LIMITS, Limits
from host.settings import File, Settings

Seconds = Annotated[float, Field(gt=0, le=86_400)]

Pin = Annotated[int, Field(ge=2, le=27)]
"""A GPIO by its BCM number; 0 and 1 belong to the HAT's EEPROM."""

_PORT = re.compile(r"^/[A-Za-z0-9/._:+-]+$")


def _is_port(path: str) -> str:
    # nfcpy hands the port to a shell (`stty -F`), so nothing that a shell reads may stand in it.
    if _PORT.fullmatch(path) is None:
        raise ValueError("a port is an absolute path of letters, digits and / . _ : + -")
    return path


Port = Annotated[str, AfterValidator(_is_port)]

StuckOnHours = Annotated[float, Field(ge=0.5, le=168)]
StuckOffDays = Annotated[int, Field(ge=1, le=365)]


class PinSensor(Settings):
    """A presence sensor that drives a pin: PIR, contact or pressure mat."""

    id: ResourceId
    kind: Literal["pin"]
    type: Literal["pir", "contact", "pressure"] = "pir"
    pin: Pin
    active_high: bool = True
    loop_pin: Pin | None = None
    """A loop through the sensor's plug to ground: the one way to tell that it was pulled out."""
    stuck_on_h: StuckOnHours | None = None
    stuck_off_days: StuckOffDays | None = None


class RadarSensor(Settings):
    """An LD2410 radar on a serial port."""

    id: ResourceId
    kind: Literal["radar"]
    port: Port
    settings_file: File | None = None
    """What the module should keep in flash: written by `sensors configure`, compared while the agent runs."""
    stuck_on_h: StuckOnHours | None = None
    stuck_off_days: StuckOffDays | None = None


Sensor = Annotated[PinSensor | RadarSensor, Field(discriminator="kind")]


def limits_of(sensor: PinSensor | RadarSensor) -> Limits:
    """Return from when on an unchanged sensor is not believed: its own values, else those of its type."""
    of_type = LIMITS[sensor.type if isinstance(sensor, PinSensor) else "radar"]
    return Limits(
        stuck_on_s=of_type.stuck_on_s if sensor.stuck_on_h is None else sensor.stuck_on_h * HOUR_S,
        stuck_off_days=sensor.stuck_off_days or of_type.stuck_off_days,
    )
