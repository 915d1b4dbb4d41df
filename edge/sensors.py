"""`telecentre-edge sensors`: what a technician does with presence sensors; needs the ports, so the agent is stopped."""

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from time import monotonic
from typing import NoReturn

import click

from edge.config import EdgeSettings, read_settings
from edge.core.calibration import Energies, Proposal, Threshold, propose
from edge.devices.device import DeviceError
from edge.devices.port import Port
from edge.devices.radar_line import RadarLine, ask, reports
from edge.options import config_option, json_option, refuse, settings_errors_exit
from edge.protocols.ld2410 import READ_FIRMWARE, FrameError, Report, decode_firmware
from edge.protocols.ld2410_config import (
    ASK_FIRMWARE,
    ASK_PARAMETERS,
    ENABLE,
    END,
    READ_PARAMETERS,
    START_ENGINEERING,
    STOP_ENGINEERING,
    Parameters,
    decode_parameters,
    write_parameters,
)
from edge.radar_file import radar_toml, read_radar_file
from edge.sensor_settings import PinSensor, RadarSensor

STOP_THE_AGENT = "it is in use, probably by the agent: stop it first (systemctl stop telecentre-edge)"
LOOK_S = 1.0
"""How long a radar is heard to say whether it sees somebody: ten reports."""
BAR = 20
"""Characters of a full bar: one for each 5 %."""

sensor_option = click.option("--sensor", "name", required=True, help="The id of a radar in the settings.")


@click.group()
def sensors() -> None:
    """List, set, watch and calibrate the presence sensors; the agent must not be running."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One sensor as `sensors list` shows it; `matches` is None without a file to compare with."""

    id: str
    kind: str
    where: str
    state: str
    firmware: str | None = None
    settings: str | None = None
    matches: bool | None = None


@sensors.command("list")
@config_option
@json_option
@settings_errors_exit
def list_sensors(config: Path, *, as_json: bool) -> None:
    """Ask every sensor what it is and what it sees; exit 1 when one is not well or not set as its file says."""
    settings = _settings(config)
    found = [_listed(sensor, settings) for sensor in settings.sensors()]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            click.echo(f"{one.id:<20} {one.kind:<9} {one.where:<28} {one.state}")
            if one.settings is not None:
                differs = " (not those of its file: sensors configure)" if one.matches is False else ""
                click.echo(f"{'':<20} firmware {one.firmware}, settings {one.settings}{differs}")
    well = all(one.state in ("somebody", "nobody") and one.matches is not False for one in found)
    sys.exit(0 if well else 1)


@sensors.command()
@config_option
@click.option("--sensor", "name", help="Only this radar; without it every radar that names a settings_file.")
@settings_errors_exit
def configure(config: Path, name: str | None) -> None:
    """Write the settings of its file to each radar, read them back, and refuse any difference."""
    settings = _settings(config)
    chosen = [_radar(settings, name)] if name is not None else _radars(settings)
    wanted = {radar.id: read_radar_file(radar.settings_file) for radar in chosen if radar.settings_file is not None}
    if name is not None and not wanted:
        refuse(f"{name} names no settings_file")
    for radar in chosen:
        if radar.id in wanted:
            with _trouble(radar), RadarLine(_port(radar, settings)) as line:
                done = _configured(radar.id, line, wanted[radar.id])
            click.echo(f"{radar.id}: {done}")


@sensors.command()
@config_option
@sensor_option
@click.option("--for", "for_s", default=60.0, type=click.FloatRange(1, 86_400), help="Seconds.", show_default=True)
@settings_errors_exit
def watch(config: Path, name: str, for_s: float) -> None:
    """Show the energies of a radar gate by gate, as they come."""
    settings = _settings(config)
    radar = _radar(settings, name)
    shown_s = 0.0
    with _trouble(radar), RadarLine(_port(radar, settings)) as line, _engineering(line) as parameters:
        for report in reports(line, for_s, monotonic):
            every_s = 0.2 if sys.stdout.isatty() else 1.0
            if monotonic() - shown_s >= every_s:
                shown_s = monotonic()
                if sys.stdout.isatty():
                    click.clear()
                click.echo("\n".join(_picture(report, parameters)))


@sensors.command()
@config_option
@sensor_option
@click.option("--seconds", default=60.0, type=click.FloatRange(1, 600), help="Of each recording.", show_default=True)
@click.option("--write", "file", type=click.Path(path_type=Path), help="Write the proposal to this TOML file.")
@settings_errors_exit
def calibrate(config: Path, name: str, seconds: float, file: Path | None) -> None:
    """Record the place empty, then occupied, and propose thresholds; nothing is written to the radar."""
    settings = _settings(config)
    radar = _radar(settings, name)
    with _trouble(radar), RadarLine(_port(radar, settings)) as line, _engineering(line) as parameters:
        _pause(f"Leave the place, and let nobody pass for {seconds:.0f} s. Enter when it is empty")
        empty = _record(line, seconds)
        _pause(f"Now sit down and work as usual for {seconds:.0f} s. Enter when you sit")
        occupied = _record(line, seconds)
    try:
        proposal = propose(empty, occupied)
    except ValueError as error:
        refuse(f"{name}: {error}; try again")
    click.echo("\n".join(_table(proposal)))
    if not proposal.tells:
        refuse(f"{name} cannot tell an occupied place from an empty one: turn it to the chest of who sits there")
    if file is not None:
        wanted = Parameters(
            proposal.max_moving_gate,
            proposal.max_static_gate,
            parameters.no_one_s,
            tuple(gate.threshold_pct for gate in proposal.moving),
            tuple(gate.threshold_pct for gate in proposal.static),
        )
        _write(file, radar_toml(wanted, first_line=f"Proposed by `sensors calibrate` for {name}."))
        click.echo(f"{file} is written: name it as settings_file of {name}, then `sensors configure`.")


def _settings(config: Path) -> EdgeSettings:
    from edge.wiring import refuse_simulated  # noqa: PLC0415  # the drivers take a second on a Pi

    settings = read_settings(config)
    refuse_simulated(settings, os.environ.get("GPIOZERO_PIN_FACTORY"))
    return settings


def _radars(settings: EdgeSettings) -> list[RadarSensor]:
    return [sensor for sensor in settings.sensors() if isinstance(sensor, RadarSensor)]


def _radar(settings: EdgeSettings, name: str) -> RadarSensor:
    radars = {radar.id: radar for radar in _radars(settings)}
    if name not in radars:
        refuse(f"there is no radar '{name}' in the settings; there are: {', '.join(radars) or 'none'}")
    return radars[name]


def _port(radar: RadarSensor, settings: EdgeSettings) -> Port:
    return Port(radar.port, simulated=settings.simulated)


def _sentence(error: DeviceError) -> str:
    cause = error.__cause__
    in_use = isinstance(cause, OSError) and cause.errno in (errno.EBUSY, errno.EAGAIN)
    return STOP_THE_AGENT if in_use else str(error)


@contextmanager
def _trouble(radar: RadarSensor) -> Iterator[None]:
    """Turn device trouble into one sentence and exit 1."""
    try:
        yield
    except DeviceError as error:
        _refuse_device(radar, _sentence(error))
    except FrameError as error:
        _refuse_device(radar, f"it answers something else than an LD2410 does ({error})")


def _refuse_device(radar: RadarSensor, sentence: str) -> NoReturn:
    refuse(f"{radar.id}, {radar.port}: {sentence}")


def _listed(sensor: PinSensor | RadarSensor, settings: EdgeSettings) -> Listed:
    if isinstance(sensor, PinSensor):
        return _listed_pin(sensor)
    radar = Listed(sensor.id, "radar", sensor.port, "silent")
    try:
        with RadarLine(_port(sensor, settings)) as line:
            firmware, parameters = _identity(line)
            present = [report.present for report in reports(line, LOOK_S, monotonic)]
    except DeviceError as error:
        return Listed(sensor.id, "radar", sensor.port, _sentence(error))
    except FrameError as error:
        return Listed(sensor.id, "radar", sensor.port, f"garbled: {error}")
    wanted = None if sensor.settings_file is None else read_radar_file(sensor.settings_file)
    state = radar.state if not present else "somebody" if present[-1] else "nobody"
    matches = None if wanted is None else wanted == parameters
    return Listed(sensor.id, "radar", sensor.port, state, firmware, str(parameters), matches)


def _listed_pin(sensor: PinSensor) -> Listed:
    from edge.clock import SystemClock  # noqa: PLC0415
    from edge.devices.pins import InputPin  # noqa: PLC0415  # gpiozero, only where there are pins

    where = f"GPIO {sensor.pin}"
    clock = SystemClock(lambda: "unsynced")
    try:
        pin = InputPin(sensor.pin, active_high=sensor.active_high, clock=clock.now, wake=lambda: None)
        try:
            state = "somebody" if pin.active else "nobody"
        finally:
            pin.close()
    except DeviceError as error:
        state = _sentence(error)
    return Listed(sensor.id, sensor.type, where, state)


def _identity(line: RadarLine) -> tuple[str, Parameters]:
    """Return firmware and settings; the module is out of its configuration and engineering modes afterwards."""
    said = ask(line, (ENABLE, ASK_FIRMWARE, ASK_PARAMETERS, STOP_ENGINEERING, END), monotonic)
    return decode_firmware(said.value_of(READ_FIRMWARE)), decode_parameters(said.value_of(READ_PARAMETERS))


def _configured(name: str, line: RadarLine, wanted: Parameters) -> str:
    """Write what differs and read it back; the module leaves its configuration mode in any case."""
    _, before = _identity(line)
    if before == wanted:
        return "already set as its file says"
    try:
        said = ask(line, (ENABLE, *write_parameters(wanted), ASK_PARAMETERS), monotonic)
    finally:
        ask(line, (ENABLE, END), monotonic)
    after = decode_parameters(said.value_of(READ_PARAMETERS))
    if after != wanted:
        refuse(f"{name} did not take its settings: {'; '.join(differences(wanted, after))}")
    return f"written and read back: {after}"


def differences(wanted: Parameters, found: Parameters) -> list[str]:
    """Return each setting that differs, in words."""
    told: list[str] = []
    for key, value in asdict(wanted).items():
        other = asdict(found)[key]
        if isinstance(value, tuple):
            pairs = enumerate(zip_longest(value, other))
            told += [f"{key} of gate {gate} is {b}, wanted {a}" for gate, (a, b) in pairs if a != b]
        elif value != other:
            told.append(f"{key} is {other}, wanted {value}")
    return told


@contextmanager
def _engineering(line: RadarLine) -> Iterator[Parameters]:
    """Let the module report every gate while the block lasts, and yield its settings."""
    _, parameters = _identity(line)
    ask(line, (ENABLE, START_ENGINEERING, END), monotonic)
    try:
        yield parameters
    finally:
        ask(line, (ENABLE, STOP_ENGINEERING, END), monotonic)


def _record(line: RadarLine, for_s: float) -> list[Energies]:
    line.forget()
    found = (report.gates for report in reports(line, for_s, monotonic))
    return [Energies(gates.moving_energy_pct, gates.static_energy_pct) for gates in found if gates is not None]


def _pause(sentence: str) -> None:
    click.prompt(sentence, default="", show_default=False, prompt_suffix=": ")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        refuse(f"{file}: cannot be written ({error.strerror})")


def _picture(report: Report, parameters: Parameters) -> list[str]:
    """Return one report as lines: a bar for each gate, with its threshold."""
    word = {(False, False): "nobody", (True, False): "moving", (False, True): "still"}
    sees = word.get((report.moving, report.static), "moving and still")
    lines = [f"{sees}, {report.detection_distance_cm} cm"]
    if report.gates is None:
        return lines
    lines.append(f"gate  {'moving':<{BAR + 12}} still")
    rows = zip(
        report.gates.moving_energy_pct,
        parameters.moving_threshold_pct,
        report.gates.static_energy_pct,
        parameters.static_threshold_pct,
        strict=True,
    )
    lines += [f"{gate:>4}  {_bar(a, b)}  {_bar(c, d)}" for gate, (a, b, c, d) in enumerate(rows)]
    return lines


def _bar(energy_pct: int, threshold_pct: int) -> str:
    mark = ">" if energy_pct > threshold_pct else " "
    return f"{energy_pct:>3}{mark}{threshold_pct:>3} {'#' * (min(energy_pct, 100) * BAR // 100):<{BAR}}"


def _table(proposal: Proposal) -> list[str]:
    lines = [
        "gate  moving: empty seen -> threshold margin   still: empty seen -> threshold margin",
        *(
            f"{gate:>4}  {_row(moving)}   {_row(static)}"
            for gate, (moving, static) in enumerate(zip(proposal.moving, proposal.static, strict=True))
        ),
    ]
    lines.append(f"farthest gate: moving {proposal.max_moving_gate}, still {proposal.max_static_gate}")
    return lines


def _row(gate: Threshold) -> str:
    margin = str(gate.margin_pct) if gate.margin_pct else "none"
    return f"        {gate.quiet_pct:>5} {gate.seen_pct:>4}    {gate.threshold_pct:>9} {margin:>6}"
