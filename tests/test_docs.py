"""The documents say what the code does: settings, commands, dependencies, decisions, wiring, links."""

import hashlib
import hmac
import json
import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import hub.routes
from contract import limits
from contract.credentials import uid_hash
from contract.events import AccessReason, Event, Fault, decode, encode
from contract.messages import MESSAGES
from contract.topics import CHANNELS
from edge import config as edge_config
from edge import room_settings
from edge.config import DoorSettings, EdgeSettings, ReaderSettings
from edge.config import read_settings as read_edge_settings
from edge.radar_file import RadarFile, read_radar_file
from edge.sensor_settings import PinSensor, RadarSensor
from host.settings import Settings
from hub import config as hub_config
from hub import network as hub_network
from hub.config import read_settings as read_hub_settings
from hub.routes import doors, indicators, visits
from hub.routes.occupancy import CSV_HEADER

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "firmware_config" / "examples"
WIRING = ROOT / "firmware_config" / "README.md"


def table_rows(text: str, *columns: str) -> list[list[str]]:
    """Return the cells of every Markdown table whose header begins with `columns`, without backquotes."""
    rows: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            inside = False
        elif cells[: len(columns)] == list(columns):
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells)
    return rows


def wired_pins(settings: EdgeSettings) -> set[tuple[str, str, str]]:
    """Return (pin, owner, key) for each pin that a settings file uses."""
    pins: set[tuple[str, str, str]] = set()
    owners: list[DoorSettings | ReaderSettings] = [*settings.door, *settings.reader]
    for owner in owners:
        for key, pin in owner.model_dump().items():
            if key.endswith("_pin") and pin is not None:
                pins.add((str(pin), owner.id, key))
    for sensor in settings.sensors():
        if isinstance(sensor, PinSensor):
            pins.add((str(sensor.pin), sensor.id, "pin"))
    return pins


def test_the_example_settings_load() -> None:
    assert read_edge_settings(EXAMPLES / "site.toml").site == "murat"
    assert read_hub_settings(EXAMPLES / "hub.toml").broker.embedded


def test_the_pin_table_is_the_wiring_of_the_example() -> None:
    rows = table_rows(WIRING.read_text(encoding="utf-8"), "BCM", "header pin")
    assert {(row[0], row[2], row[3]) for row in rows} == wired_pins(read_edge_settings(EXAMPLES / "site.toml"))


def test_the_header_pins_of_the_table_are_those_of_the_raspberry_pi() -> None:
    # Source: the 40-pin header of the Raspberry Pi, by BCM number (pinout of the Raspberry Pi documentation).
    header = {4: 7, 5: 29, 12: 32, 13: 33, 14: 8, 15: 10, 16: 36, 17: 11, 20: 38, 21: 40}
    header |= {22: 15, 23: 16, 24: 18, 25: 22, 26: 37, 27: 13}
    text = WIRING.read_text(encoding="utf-8")
    pairs = {(int(row[0]), int(row[1])) for row in table_rows(text, "BCM", "header pin")}
    pairs |= {(int(bcm), int(pin)) for bcm, pin in re.findall(r"GPIO (\d+) \((?:pin )?(\d+)\)", text)}
    assert pairs <= set(header.items())
    assert len(pairs) == len(header)


def test_every_port_of_the_example_is_in_the_table_and_has_its_udev_rule() -> None:
    settings = read_edge_settings(EXAMPLES / "site.toml")
    named = {
        row[4]: row[0] for row in table_rows(WIRING.read_text(encoding="utf-8"), "port", "pins of the Pi (TX, RX)")
    }
    used = {reader.id: reader.port for reader in settings.reader}
    used |= {sensor.id: sensor.port for sensor in settings.sensors() if not isinstance(sensor, PinSensor)}
    rules = (ROOT / "firmware_config" / "udev" / "60-telecentre.rules").read_text(encoding="utf-8")
    links = set(re.findall(r'SYMLINK\+="([^"]+)"', rules))
    assert set(named) == set(used)
    for owner, port in used.items():
        assert port.startswith(named[owner].rstrip("…"))
        assert port.startswith("/dev/serial/by-path/") or port.removeprefix("/dev/") in links


def test_a_udev_rule_is_a_list_of_matches_and_assignments() -> None:
    rules = (ROOT / "firmware_config" / "udev" / "60-telecentre.rules").read_text(encoding="utf-8")
    part = r'[A-Z]+(?:==|\+=|=)"[^"]+"'
    for line in rules.splitlines():
        assert not line or line.startswith("#") or re.fullmatch(rf"{part}(?:, {part})+", line), line


def test_the_firmware_holds_every_pin_at_rest_before_the_agent_runs() -> None:
    settings = read_edge_settings(EXAMPLES / "site.toml")
    boot = (ROOT / "firmware_config" / "boot" / "config.txt").read_text(encoding="utf-8")
    held = {mode: pins.split(",") for pins, mode in re.findall(r"^gpio=([\d,]+)=(\S+)$", boot, re.MULTILINE)}
    door = settings.door[0]
    assert held["op,dl"] == [str(door.strike_pin)]
    assert {int(pin) for pin in held["ip,pu"]} == {door.contact_pin, door.exit_button_pin}
    assert {int(pin) for pin in held["ip,pd"]} == {s.pin for s in settings.sensors() if isinstance(s, PinSensor)}


def test_a_strike_stands_on_a_pin_that_is_pulled_down_at_reset() -> None:
    door = read_edge_settings(EXAMPLES / "site.toml").door[0]
    assert door.strike_pin >= 9
    assert door.strike_active_high


@pytest.mark.parametrize(
    "file", sorted((ROOT / "firmware_config" / "sensors").glob("*.toml")), ids=lambda file: file.name
)
def test_every_radar_file_is_one_that_the_program_reads(file: Path) -> None:
    assert read_radar_file(file).max_static_gate >= 2


def test_every_key_of_a_radar_file_is_documented() -> None:
    rows = table_rows((ROOT / "docs" / "sensors.md").read_text(encoding="utf-8"), "key", "allowed")
    assert [row[0] for row in rows] == list(RadarFile.model_fields)


def documents() -> list[Path]:
    return [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")] + [
        path for folder in ("docs", "systemd", "firmware_config") for path in sorted((ROOT / folder).rglob("*.md"))
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings: lower case, spaces as hyphens, other marks left out."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    broken: list[str] = []
    for target in targets:
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        if "://" not in target and not (there.exists() and (not anchor or anchor in anchors(there))):
            broken.append(target)
    assert broken == []


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_decision_on_dependencies_names_each_of_them_and_no_others() -> None:
    project = pyproject()["project"]
    listed = [
        *project["dependencies"],
        *(name for names in project["optional-dependencies"].values() for name in names),
    ]
    wanted = {re.split(r"[<>=\[; ]", name)[0] for name in [*listed, *pyproject()["build-system"]["requires"]]}
    page = next((ROOT / "docs" / "decisions").glob("0002-*.md")).read_text(encoding="utf-8")
    assert {row[0] for row in table_rows(page, "dependency", "licence")} == wanted - {project["name"]}


MQTT_API = ROOT / "docs" / "mqtt-api.md"
EXAMPLE = re.compile(r"^```json (\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "text"), EXAMPLE.findall(MQTT_API.read_text(encoding="utf-8")))
def test_every_example_message_of_the_api_is_a_valid_one(name: str, text: str) -> None:
    if name == "event":
        assert encode(decode(text.encode())) == text.encode()
    else:
        MESSAGES[name].validate_json(text)


def test_the_api_shows_every_message_and_every_kind_of_event() -> None:
    examples = EXAMPLE.findall(MQTT_API.read_text(encoding="utf-8"))
    assert {name for name, _ in examples} == {"event", *MESSAGES}
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(Event)[0])}
    assert {decode(text.encode()).kind for name, text in examples if name == "event"} == kinds
    listed = table_rows(MQTT_API.read_text(encoding="utf-8"), "kind", "subject")
    assert {row[0] for row in listed} == kinds


def test_the_api_names_every_channel() -> None:
    assert {row[0] for row in table_rows(MQTT_API.read_text(encoding="utf-8"), "channel", "from")} == set(CHANNELS)


def test_the_api_gives_every_limit_its_value() -> None:
    listed = {row[0]: int(row[1]) for row in table_rows(MQTT_API.read_text(encoding="utf-8"), "limit", "value")}
    assert listed == {name: value for name, value in vars(limits).items() if name.startswith("MAX_")}


def test_the_bytes_of_the_keyed_hash_are_those_of_the_api() -> None:
    key, uid = bytes(range(32)), bytes.fromhex("04de5f1eacc040")
    message = b"telecentre/uid/v1" + b"\x00" + b"\x07" + uid
    assert uid_hash(key, uid) == hmac.new(key, message, hashlib.sha256).digest()


OPERATING = ROOT / "docs" / "operating.md"
SECTIONS: dict[str, type[BaseModel]] = {
    "top of `site.toml`": EdgeSettings,
    "`[link]`": edge_config.LinkSettings,
    "`[outbox]`": edge_config.OutboxSettings,
    "`[rights]`": edge_config.RightsSettings,
    "`[access]`": edge_config.AccessSettings,
    "`[[door]]`": DoorSettings,
    "`[[reader]]`": ReaderSettings,
    "`[[desk]]`": edge_config.DeskSettings,
    "`[[room]]`": room_settings.RoomSettings,
    '`display` with `kind = "samsung-mdc"`': room_settings.SamsungDisplay,
    '`display` with `kind = "pjlink"`': room_settings.PjlinkDisplay,
    '`sensor` with `kind = "pin"`': PinSensor,
    '`sensor` with `kind = "radar"`': RadarSensor,
    "top of `hub.toml`": hub_config.HubSettings,
    "`[web]`": hub_config.WebSettings,
    "`[database]`": hub_config.DatabaseSettings,
    "`[broker]`": hub_config.BrokerSettings,
    "`[issuing]`": hub_config.IssuingSettings,
    "`[release]`": hub_config.ReleaseSettings,
    "top of `network.toml`": hub_network.Network,
    "`[network]`": hub_network.NetworkTable,
    "`[[site]]`": hub_network.SiteTable,
    "`[[zone]]`": hub_network.ZoneTable,
}


def written_default(field: FieldInfo) -> str:
    """Return a default as the tables write it: a TOML value, `none`, or `defaults` for an optional section."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default == []:
        return "none"
    return "defaults" if isinstance(default, BaseModel) else json.dumps(default)


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_setting_is_documented_with_its_default(heading: str) -> None:
    page = OPERATING.read_text(encoding="utf-8")
    section = re.split(r"^#{2,3} ", page.partition(f"\n### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    written = {row[0]: row[1] for row in table_rows(section, "key", "default")}
    fields = SECTIONS[heading].model_fields.items()
    assert written == {field.alias or name: written_default(field) for name, field in fields}


def test_every_section_of_a_settings_file_has_its_table() -> None:
    models = {
        model
        for module in (edge_config, room_settings, hub_config, hub_network)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, Settings) and model is not Settings
    }
    assert models == set(SECTIONS.values())


METHOD = ROOT / "docs" / "method.md"


def test_the_columns_of_the_file_are_documented() -> None:
    rows = table_rows(METHOD.read_text(encoding="utf-8"), "column", "meaning")
    assert tuple(name for row in rows for name in row[0].split(", ")) == CSV_HEADER


@pytest.mark.parametrize(
    ("subject", "header"),
    [("indicators", indicators.CSV_HEADER), ("visits", visits.CSV_HEADER), ("doors", doors.CSV_HEADER)],
)
def test_the_columns_of_every_other_file_are_documented(subject: str, header: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    rows = table_rows(page, f"column of {subject}", "meaning")
    assert tuple(name for row in rows for name in row[0].split(", ")) == header


def commands(group: click.Group, path: str) -> dict[str, set[str]]:
    """Return every command by its whole name, with its long options."""
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        whole = f"{path} {name}"
        if isinstance(command, click.Group):
            found |= commands(command, whole)
        else:
            options = [option for option in command.params if isinstance(option, click.Option)]
            found[whole] = {name for option in options for name in option.opts if name.startswith("--")}
    return found


def real_commands() -> dict[str, set[str]]:
    """Return every command of every program by its whole name, with its long options."""
    real: dict[str, set[str]] = {}
    for script, target in pyproject()["project"]["scripts"].items():
        groups = [
            value for value in vars(import_module(target.split(":")[0])).values() if isinstance(value, click.Group)
        ]
        for group in groups:
            if not any(group in other.commands.values() for other in groups):
                real |= commands(group, script)
    return real


def test_every_command_and_option_is_documented() -> None:
    rows = table_rows(OPERATING.read_text(encoding="utf-8"), "command", "options")
    assert {row[0]: set(row[1].split()) for row in rows} == real_commands()


SPOKEN = re.compile(r"\btelecentre-(?:hub|edge|sim) (?=[a-z])[^\n`|&;]*")


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_of_a_page_is_one_that_the_programs_take(page: Path) -> None:
    real = real_commands()
    groups = {whole.rsplit(" ", number)[0] for whole in real for number in (1, 2)}
    for line in SPOKEN.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
        words = line.split()
        names = [" ".join(words[:count]) for count in (3, 2, 1)]
        name = next((name for name in names if name in real), None)
        asked = set(re.findall(r"(?<!\S)--[a-z-]+", line)) - {"--help"}
        assert name is not None or (line.strip() in groups and not asked), line
        assert name is None or asked <= real[name], line


def test_every_fault_has_its_row_of_what_to_do() -> None:
    rows = table_rows(OPERATING.read_text(encoding="utf-8"), "fault", "what it means")
    assert [row[0] for row in rows] == list(get_args(Fault))


def test_every_refusal_that_an_agent_gives_has_its_row() -> None:
    given = set(re.findall(r"DENIED_\w+", (ROOT / "edge" / "core" / "access.py").read_text(encoding="utf-8")))
    rows = table_rows(OPERATING.read_text(encoding="utf-8"), "reason", "what it means")
    assert {row[0] for row in rows} == given <= set(get_args(AccessReason))


def test_every_alarm_that_the_hub_raises_has_its_row() -> None:
    code = (ROOT / "hub" / "store" / "writer.py").read_text(encoding="utf-8")
    raised = set(re.findall(r'(?:raise_alarm\([^,]+, |^            )"(\w+)"[:,)]', code, re.MULTILINE))
    assert {"gap", "quarantined"} <= raised
    rows = table_rows(OPERATING.read_text(encoding="utf-8"), "alarm", "what it means")
    assert raised <= {row[0] for row in rows}


def test_every_thread_with_a_name_is_in_the_list_of_threads() -> None:
    page = (ROOT / "docs" / "threads.md").read_text(encoding="utf-8")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for name in ("edge", "hub", "simulators")
        for path in (ROOT / name).rglob("*.py")
    )
    names = set(re.findall(r'Thread\([^)]*\bname="([\w-]+)"', code))
    assert {"outbox", "link", "ingest"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_the_life_of_a_badge_names_functions_that_exist() -> None:
    rows = table_rows((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), "#", "file", "name")
    assert len(rows) > 20
    for _, file, name, _ in rows:
        code = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(?:async )?(?:def|class) {name}\b", code, re.MULTILINE), f"{file}: {name}"


def test_every_address_of_the_hub_is_documented() -> None:
    modules = [import_module(f"hub.routes.{module.name}") for module in pkgutil.iter_modules(hub.routes.__path__)]
    real = {route.path for module in modules if hasattr(module, "router") for route in module.router.routes}
    rows = table_rows(OPERATING.read_text(encoding="utf-8"), "address", "what it gives")
    assert {address for row in rows for address in row[0].split(", ")} == real
