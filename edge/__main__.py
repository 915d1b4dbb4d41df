"""The `telecentre-edge` command. Exit codes: 0 well, 1 a difference or a refusal, 2 usage, 78 configuration."""

import json
import os
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from edge.config import EdgeSettings, check_certificates, check_room_secrets, read_keys, read_settings
from edge.options import config_option, json_option, refuse, settings_errors_exit
from edge.rights_command import keys, rights
from edge.sensors import sensors
from host.crashes import forbid_core_dumps
from host.journal import log_to_stderr


@click.group()
def main() -> None:
    """Run and inspect the agent of one telecentre."""
    # Here and not in `run` alone: other commands read the keys too.
    forbid_core_dumps()


for group in (sensors, keys, rights):
    main.add_command(group)


@main.command()
@config_option
@settings_errors_exit
def run(config: Path) -> NoReturn:
    """Run the agent until SIGTERM or SIGINT."""
    # Before anything is imported: a library that starts a thread of its own would let SIGTERM end the process there and
    # then, with its doors unlocked and its events unwritten.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    settings = read_settings(config)
    log_to_stderr(settings.log_level)
    keys = read_keys(settings)
    # Imported here: the drivers take a second on a Pi, which the status commands need not wait.
    from edge.agent import Agent, stop_on_signals  # noqa: PLC0415
    from edge.wiring import refuse_simulated  # noqa: PLC0415
    from host.crashes import end_with_threads  # noqa: PLC0415

    refuse_simulated(settings, os.environ.get("GPIOZERO_PIN_FACTORY"))
    agent = Agent(settings, keys)
    stop_on_signals(agent)
    end_with_threads(agent.crash)
    sys.exit(agent.run())


@main.command("check-config")
@config_option
@json_option
@settings_errors_exit
def check_config(config: Path, *, as_json: bool) -> None:
    """Check settings, certificates, secrets and the list of rights, and print the settings in force (no secret)."""
    settings = read_settings(config)
    check_certificates(config, settings)
    keys = read_keys(settings)
    check_room_secrets(settings)
    from edge.devices.rights_list import ListRefusedError, stored_list  # noqa: PLC0415
    from edge.wiring import radar_files, refuse_simulated, rights_keys_of  # noqa: PLC0415

    refuse_simulated(settings, os.environ.get("GPIOZERO_PIN_FACTORY"))
    radar_files(settings)
    try:
        rights = stored_list(settings.site, settings.rights.folder, rights_keys_of(settings, keys))
    except ListRefusedError as error:
        refuse(f"the list of rights in {settings.rights.folder} would be refused ({error.reason})")
    if as_json:
        click.echo(settings.model_dump_json(indent=2))
        return
    for line in _lines(settings.model_dump(mode="json")):
        click.echo(line)
    in_force = "no list of rights yet" if rights is None else f"{len(rights.badges)} badges in the list of rights"
    click.echo(f"The settings are good; {in_force}.")


@main.group()
def outbox() -> None:
    """Prepare and inspect what is kept for the hub."""


@outbox.command()
@config_option
@settings_errors_exit
def init(config: Path) -> None:
    """Create the outbox's folder with its marker, without which the agent stores nothing."""
    from edge.outbox import prepare_folder  # noqa: PLC0415

    folder = read_settings(config).outbox.folder
    try:
        prepare_folder(folder)
    except OSError as error:
        refuse(f"{folder}: cannot be prepared ({error.strerror or error})")
    click.echo(f"{folder} is ready.")


@outbox.command()
@config_option
@json_option
@settings_errors_exit
def status(config: Path, *, as_json: bool) -> None:
    """Print what the outbox holds, whether the agent runs or not."""
    from edge.outbox import StorageError, read_status  # noqa: PLC0415

    try:
        report = read_status(read_settings(config).outbox)
    except StorageError as error:
        refuse(str(error))
    if as_json:
        click.echo(json.dumps(asdict(report), default=str))
        return
    click.echo(f"{report.events} events ever stored, {report.depth} not yet at the hub, {report.size_bytes} bytes")
    click.echo(
        f"oldest of these: {_moment(report.oldest_at)}; the hub last took something: {_moment(report.acknowledged_at)}"
    )
    click.echo(f"storage {report.storage}, {report.disk_free_bytes} bytes free on the disk, quota {report.quota_bytes}")
    if report.aside_count or report.aside_forgotten:
        click.echo(f"{report.aside_count} damaged files stand aside, {report.aside_forgotten} were deleted at 90 days")
    for stream in report.streams:
        newest = " (newest)" if stream.stream == report.stream else ""
        click.echo(
            f"  {stream.stream}: {stream.first} to {stream.last}, at the hub up to {stream.acknowledged}{newest}"
        )


@main.command()
@config_option
@json_option
@settings_errors_exit
def doctor(config: Path, *, as_json: bool) -> None:
    """Look at every device of the site once, and say what is wrong and what to do; the agent should not be running."""
    settings = read_settings(config)
    log_to_stderr("error")  # what is wrong with a device is the answer, not a line in a log
    keys = read_keys(settings)
    from edge.doctor import examine  # noqa: PLC0415
    from edge.wiring import refuse_simulated  # noqa: PLC0415

    refuse_simulated(settings, os.environ.get("GPIOZERO_PIN_FACTORY"))
    findings = examine(settings, keys)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(
                f"{finding.device:<24} {'ok' if finding.fault is None else f'{finding.fault}: {finding.remedy}'}"
                f"{f' ({finding.said})' if finding.said else ''}"
            )
    sys.exit(0 if all(finding.fault is None for finding in findings) else 1)


@main.command("release-strikes")
@config_option
@settings_errors_exit
def release_strikes(config: Path) -> None:
    """Put every strike to rest (locked): what systemd runs after the agent, however it ended."""
    settings: EdgeSettings = read_settings(config)
    from edge.devices.device import DeviceError  # noqa: PLC0415
    from edge.devices.pins import OutputPin  # noqa: PLC0415
    from edge.wiring import refuse_simulated  # noqa: PLC0415

    refuse_simulated(settings, os.environ.get("GPIOZERO_PIN_FACTORY"))
    failed: list[str] = []
    for door in settings.door:
        try:
            OutputPin(door.strike_pin, active_high=door.strike_active_high).close()
        except DeviceError as error:
            failed.append(f"{door.id}: {error}")
    if failed:
        refuse("; ".join(failed))


def _moment(at_ms: int | None) -> str:
    if at_ms is None:
        return "never"
    try:
        return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"at an instant that no calendar has ({at_ms} ms): the clock was wrong, or the file is damaged"


def _lines(values: object, path: str = "") -> list[str]:
    """Return one line for each setting, as its path and value."""
    if isinstance(values, dict):
        return [line for key, value in values.items() for line in _lines(value, f"{path}.{key}" if path else key)]
    if isinstance(values, list) and values and isinstance(values[0], dict):
        return [line for index, value in enumerate(values) for line in _lines(value, f"{path}[{index + 1}]")]
    return [f"{path} = {json.dumps(values)}"]


if __name__ == "__main__":
    main()
