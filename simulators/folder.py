"""The state folder of a demo: where everything lies, and the settings files of its hub and its agents.

    demo.json  network.toml  hub.toml  badges.toml  log/  run/<site>/{reader-01,<radar>,pins}  run/control
    hub/{hub.sqlite,signing.key,badge-master.key}
    sites/<site>/{site.toml,site.key,rights.key,rights/,display.password,outbox/}

Keys, badges, lists of rights and databases survive a restart; the rest is written anew at each start.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from simulators.network import (
    BUZZER_PIN,
    CONTACT_PIN,
    EXIT_BUTTON_PIN,
    GRANTED_PIN,
    REFUSED_PIN,
    STRIKE_PIN,
    Network,
    Site,
    equipment_of,
)

DEFAULT_STATE = Path(".state/demo")
"""Seen from the current folder: who runs the demo and who acts on it stand in the same one, or name it."""

MAX_RUN_LENGTH = 60
"""Bytes of the run folder's path: a unix socket's may have 107, and `/<40 of a site>/pins` comes after it."""

PULSE_S = 2.0
HOLD_S = 8.0
SETTLE_S = 0.5
GHOST_AFTER_S = 10.0
BOOKINGS_EVERY_S = 10.0
BOOKINGS_KEPT_S = 60.0
DISPLAY_POLL_S = 2.0
STUCK_ON_H = 0.5
"""Short times, so that figures move while one watches; a real site keeps the agent's own."""

CALENDAR = "calendar"
"""What the server of a site's calendars is called in `ports.json`."""

_PORT_NAME = re.compile(r"[A-Za-z0-9/._:+-]+")
"""What the agent accepts in a port's path: nfcpy hands it to a shell."""


class FolderError(OSError):
    """The state folder cannot be used: one sentence with its remedy."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The state folder at `root`, an absolute path."""

    root: Path

    @property
    def run(self) -> Path:
        """Where ports and sockets are: `run/`, or a private folder elsewhere when its path is too long or unusual."""
        run = self.root / "run"
        text = os.fspath(run)
        if len(os.fsencode(run)) <= MAX_RUN_LENGTH and _PORT_NAME.fullmatch(text):
            return run
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"telecentre-{os.getuid()}-{name}"

    @property
    def control(self) -> Path:
        """The socket of the devices process."""
        return self.run / "control"

    @property
    def demo_json(self) -> Path:
        """What a running demo says of itself: pid, url, seed, sites."""
        return self.root / "demo.json"

    @property
    def lock(self) -> Path:
        """Held by the demo and every child of it, so that two demos never share a folder."""
        return self.root / "demo.lock"

    @property
    def network_toml(self) -> Path:
        """The network as the hub imports it."""
        return self.root / "network.toml"

    @property
    def hub_toml(self) -> Path:
        """The hub's settings."""
        return self.root / "hub.toml"

    @property
    def badges(self) -> Path:
        """What is on the people's secured badges; without it, these are as their factories made them."""
        return self.root / "badges.toml"

    @property
    def hub_database(self) -> Path:
        """The hub's database."""
        return self.root / "hub" / "hub.sqlite"

    @property
    def members_csv(self) -> Path:
        """The people as the hub imported them last."""
        return self.root / "hub" / "members.csv"

    @property
    def bureau(self) -> Path:
        """The keys of all badges, while the cards are made of them; then it is deleted."""
        return self.root / "hub" / "badge-keys.toml"

    @property
    def log(self) -> Path:
        """One bounded file per child process."""
        return self.root / "log"

    def site(self, site: str) -> Path:
        """Return the folder of one site's agent."""
        return self.root / "sites" / site

    def site_toml(self, site: str) -> Path:
        """Return the settings file of one site's agent."""
        return self.site(site) / "site.toml"

    @property
    def ports(self) -> Path:
        """At which ports of loopback the displays and calendars of each site listen."""
        return self.root / "ports.json"

    def ports_of(self, site: str) -> dict[str, int]:
        """Return the ports of one site, by the device id of each display, and `calendar`."""
        ports: dict[str, dict[str, int]] = json.loads(self.ports.read_text(encoding="utf-8"))
        return ports[site]

    def pins(self, site: str) -> Path:
        """Return the socket of one site's simulated pins."""
        return self.run / site / "pins"

    def port(self, site: str, device: str) -> Path:
        """Return the serial port of one reader or radar."""
        return self.run / site / device


def open_run(folder: Folder, sites: tuple[str, ...]) -> None:
    """Make the run folder private, and take away what killed processes left in it: dead links and sockets only.

    Raises:
        FolderError: it belongs to somebody else.
    """
    folder.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = folder.run.lstat()
    if owner.st_uid != os.getuid() or not stat.S_ISDIR(owner.st_mode):
        raise FolderError(f"{folder.run} belongs to somebody else: choose another --state")
    for site in sites:
        (folder.run / site).mkdir(mode=0o700, exist_ok=True)
    for left in leftovers(folder):
        left.unlink(missing_ok=True)


def close_run(folder: Folder) -> None:
    """Remove the empty folders of `open_run`, and the run folder itself; what is not ours stays."""
    for path in [*folder.run.glob("*/"), folder.run]:
        with contextlib.suppress(OSError):
            path.rmdir()


def leftovers(folder: Folder) -> Iterator[Path]:
    """Yield the links and sockets in the run folder, dead or alive: none may be there while no demo runs."""
    for path in sorted(folder.run.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or stat.S_ISSOCK(mode):
            yield path


def write_settings(
    folder: Folder, network: Network, *, web_port: int, broker_port: int, log_level: str = "info"
) -> None:
    """Write the files of network and hub, and the secrets of every site; those that are there stay as they are."""
    for part in ("hub", "log", "sites"):
        (folder.root / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder.hub_toml, hub_toml(web_port=web_port, broker_port=broker_port, log_level=log_level))
    write_whole(folder.ports, json.dumps(_free_ports(network)))
    rights_keys = {}
    for site in network.sites:
        place = folder.site(site.id)
        for part in ("outbox", "rights"):
            (place / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        secret(place / "site.key")
        private = X25519PrivateKey.from_private_bytes(secret(place / "rights.key"))
        rights_keys[site.id] = private.public_key().public_bytes_raw().hex()
        write_whole(place / "display.password", display_password(site.id))
    write_whole(folder.network_toml, network_toml(network, rights_keys))


def write_sites(folder: Folder, network: Network, *, hub_key: str, broker_port: int, log_level: str = "info") -> None:
    """Write the settings of every site's agent, which believes the hub that signs with `hub_key`."""
    for site in network.sites:
        text = site_toml(folder, site, network.time_zone, hub_key, broker_port)
        write_whole(folder.site_toml(site.id), f'log_level = "{log_level}"\n{text}')


def display_password(site: str) -> str:
    """Return the password of a site's PJLink displays."""
    return f"visio-{site}"[:32]


def _free_ports(network: Network) -> dict[str, dict[str, int]]:
    """Return a free port for each site's calendars and for each display: all are held until the last one is found."""
    ports: dict[str, dict[str, int]] = {}
    with contextlib.ExitStack() as held:
        for site in network.sites:
            names = [CALENDAR, *(room.display for room in equipment_of(site).rooms)]
            ports[site.id] = {name: _free_port(held.enter_context(socket.socket())) for name in names}
    return ports


def _free_port(probe: socket.socket) -> int:
    probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])


def secret(path: Path) -> bytes:
    """Return 32 random bytes, drawn at the first call and kept in a file of mode 0600."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
    return bytes.fromhex(path.read_text(encoding="ascii"))


def network_toml(network: Network, rights_keys: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a network file that says `network`, and by site to which public key its lists of rights are sealed."""
    lines = ["[network]"]
    lines += [_line(key, getattr(network, key)) for key in ("id", "name", "time_zone", "opening_hours")]
    for site in network.sites:
        keys = ("id", "name", "code_insee", "latitude", "longitude", "desks", "visio_rooms")
        lines += ["", "[[site]]", *(_line(key, getattr(site, key)) for key in keys)]
        if site.confidential_rooms:
            lines.append(_line("confidential_rooms", site.confidential_rooms))
        if site.id in rights_keys:
            lines.append(_line("rights_key", rights_keys[site.id]))
    return "\n".join(lines) + "\n"


def hub_toml(*, web_port: int, broker_port: int, log_level: str = "info") -> str:
    """Return the settings of a hub with its broker inside, both on loopback, that issues lists of rights."""
    lines = [_line("log_level", log_level), "", "[web]", _line("host", "127.0.0.1"), _line("port", web_port)]
    lines += ["", "[database]", _line("file", "hub/hub.sqlite")]
    lines += ["", "[broker]", "embedded = true", _line("host", "127.0.0.1"), _line("port", broker_port)]
    lines += ["", "[issuing]", _line("signing_key_file", "hub/signing.key")]
    lines += [_line("master_key_file", "hub/badge-master.key")]
    return "\n".join(lines) + "\n"


def site_toml(folder: Folder, site: Site, time_zone: str, hub_key: str, broker_port: int) -> str:
    """Return the settings of one site's agent, on simulated devices and with a demo's short times."""
    equipment, ports = equipment_of(site), folder.ports_of(site.id)
    lines = [_line("site", site.id), _line("time_zone", time_zone), "simulated = true", "alive_interval_s = 10"]
    lines += ["", "[link]", _line("host", "127.0.0.1"), _line("port", broker_port)]
    lines += ["hello_spread_s = 0.5", "status_interval_s = 10", "", "[outbox]", _line("folder", "outbox")]
    lines += ["", "[rights]", _line("folder", "rights"), _line("hub_key", hub_key)]
    lines += [_line("private_key_file", "rights.key"), _line("site_key_file", "site.key")]
    lines += ["", "[[door]]", _line("id", "door-01"), _line("strike_pin", STRIKE_PIN), _line("pulse_s", PULSE_S)]
    lines += [_line("contact_pin", CONTACT_PIN), _line("exit_button_pin", EXIT_BUTTON_PIN)]
    lines += ["", "[[reader]]", _line("id", "reader-01"), _line("door", "door-01")]
    lines += [_line("port", os.fspath(folder.port(site.id, "reader-01"))), _line("granted_pin", GRANTED_PIN)]
    lines += [_line("refused_pin", REFUSED_PIN), _line("buzzer_pin", BUZZER_PIN)]
    for desk in equipment.desks:
        radar = None if desk.pin is not None else folder.port(site.id, desk.sensor)
        lines += ["", "[[desk]]", _line("id", desk.id), _line("settle_s", SETTLE_S), _line("hold_s", HOLD_S)]
        lines += ["[[desk.sensor]]", _line("id", desk.sensor), *_sensor(desk.pin, radar)]
        lines += [] if desk.loop_pin is None else [_line("loop_pin", desk.loop_pin)]
    for room in equipment.rooms:
        lines += ["", "[[room]]", _line("id", room.id), _line("settle_s", SETTLE_S), _line("hold_s", HOLD_S)]
        lines += [_line("bookings_url", f"http://127.0.0.1:{ports[CALENDAR]}/{room.id}.ics")]
        lines += [_line("bookings_every_s", BOOKINGS_EVERY_S), _line("ghost_after_s", GHOST_AFTER_S)]
        lines += [_line("bookings_kept_s", BOOKINGS_KEPT_S), _line("confidential", room.confidential)]
        lines += ["[room.display]", _line("kind", room.display_kind(site.id)), _line("host", "127.0.0.1")]
        lines += [_line("port", ports[room.display]), _line("poll_s", DISPLAY_POLL_S)]
        lines += [_line("password_file", "display.password")] if room.display_kind(site.id) == "pjlink" else []
        lines += ["[[room.sensor]]", _line("id", room.sensor), *_sensor(None, folder.port(site.id, room.sensor))]
    return "\n".join(lines) + "\n"


def calendar_of(bookings: list[tuple[int, int]]) -> str:
    """Return an iCalendar with one event per (start, end) in seconds UTC since 1970; nobody is named in it.

    Source: RFC 5545, sections 3.6.1 (VEVENT) and 3.3.5 (form 2, date with UTC time).
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//telecentre//simulators//FR"]
    for start_s, end_s in bookings:
        lines += ["BEGIN:VEVENT", f"UID:{start_s}-{end_s}@telecentre.invalid", f"DTSTAMP:{_utc(start_s)}"]
        lines += [f"DTSTART:{_utc(start_s)}", f"DTEND:{_utc(end_s)}", "SUMMARY:Réservation", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def _sensor(pin: int | None, port: Path | None) -> list[str]:
    if port is None:
        return [_line("kind", "pin"), _line("pin", pin or 0), _line("stuck_on_h", STUCK_ON_H)]
    return [_line("kind", "radar"), _line("port", os.fspath(port)), _line("stuck_on_h", STUCK_ON_H)]


def _line(key: str, value: str | float | bool) -> str:
    # JSON writes texts, numbers and booleans as TOML does.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file anew: whole, or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    fresh.replace(path)
