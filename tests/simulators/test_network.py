"""The network's devices and files: what the agents and the hub are given to read."""

import stat
from pathlib import Path

import pytest

from contract.sealing import public_key_of
from edge.config import EdgeSettings, read_rights_key, read_settings, read_site_key
from edge.sensor_settings import PinSensor, RadarSensor
from hub.config import read_settings as read_hub_settings
from hub.network import read_network as read_hub_network
from simulators.badges import badges_of, members_of
from simulators.folder import (
    MAX_RUN_LENGTH,
    Folder,
    calendar_of,
    leftovers,
    network_toml,
    open_run,
    write_settings,
    write_sites,
)
from simulators.network import (
    ALWAYS_OPEN,
    Network,
    NetworkError,
    equipment_of,
    packaged_network,
    part_of,
    read_network,
)

NETWORK = packaged_network()
SITES = {site.id: site for site in NETWORK.sites}


def _prepared(tmp_path: Path, network: Network = NETWORK) -> Folder:
    folder = Folder(tmp_path / "state")
    folder.root.mkdir(exist_ok=True)
    open_run(folder, tuple(site.id for site in network.sites))
    write_settings(folder, network, web_port=8001, broker_port=1884)
    write_sites(folder, network, hub_key="ab" * 32, broker_port=1884)
    return folder


def _agent(folder: Folder, site: str) -> EdgeSettings:
    return read_settings(folder.site_toml(site))


def test_the_packaged_network_has_ten_telecentres_and_47_desks() -> None:
    assert len(NETWORK.sites) == 10
    assert sum(site.desks for site in NETWORK.sites) == 47


def test_six_desks_have_four_pirs_and_two_radars() -> None:
    desks = equipment_of(SITES["murat"]).desks
    assert [desk.sensor for desk in desks] == [
        *("desk-01-pin", "desk-02-pin", "desk-03-radar"),
        *("desk-04-pin", "desk-05-pin", "desk-06-radar"),
    ]


def test_only_the_telemedicine_room_is_confidential() -> None:
    rooms = [(site.id, room.id) for site in NETWORK.sites for room in equipment_of(site).rooms if room.confidential]
    assert rooms == [("chaudes-aigues", "room-01")]


@pytest.mark.parametrize("site", [site.id for site in NETWORK.sites])
def test_every_agent_accepts_its_settings(tmp_path: Path, site: str) -> None:
    settings = _agent(_prepared(tmp_path), site)
    assert settings.simulated
    assert [desk.id for desk in settings.desk] == [desk.id for desk in equipment_of(SITES[site]).desks]
    assert [room.confidential for room in settings.room] == [r.confidential for r in equipment_of(SITES[site]).rooms]
    assert settings.reader[0].door == settings.door[0].id == "door-01"


def test_the_ports_and_pins_of_an_agent_are_those_of_the_simulated_devices(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    settings = _agent(folder, "aurillac")
    desks = {desk.sensor: desk for desk in equipment_of(SITES["aurillac"]).desks}
    for sensor in settings.sensors():
        if isinstance(sensor, PinSensor):
            assert sensor.pin == desks[sensor.id].pin
    ports = {sensor.id: sensor.port for sensor in settings.sensors() if isinstance(sensor, RadarSensor)}
    assert ports == {name: str(folder.port("aurillac", name)) for name in equipment_of(SITES["aurillac"]).radars}


def test_a_site_with_more_desks_than_pins_gets_radars() -> None:
    network = read_network(network_toml(NETWORK).replace("desks = 8", "desks = 60"))
    desks = equipment_of(network.sites[0]).desks
    pins = [desk.pin for desk in desks if desk.pin is not None]
    assert len(desks) == 60
    assert len(set(pins)) == len(pins)
    assert all(2 <= pin <= 27 for pin in pins)


def test_the_hub_accepts_its_settings(tmp_path: Path) -> None:
    settings = read_hub_settings(_prepared(tmp_path).hub_toml)
    assert settings.broker.embedded
    assert (settings.web.port, settings.broker.port) == (8001, 1884)


def test_a_site_key_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    key = read_site_key(_agent(folder, "murat"))
    assert stat.S_IMODE((folder.site("murat") / "site.key").stat().st_mode) == 0o600
    assert read_site_key(_agent(_prepared(tmp_path), "murat")) == key
    assert read_site_key(_agent(folder, "ydes")) != key


def test_the_hub_registers_the_public_half_of_each_sites_key(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    keys = {site.id: site.rights_key for site in read_hub_network(folder.network_toml).site}
    for site in SITES:
        assert stat.S_IMODE((folder.site(site) / "rights.key").stat().st_mode) == 0o600
        assert keys[site] == public_key_of(read_rights_key(_agent(folder, site))).hex()
    assert len(set(keys.values())) == 10


def test_no_file_of_a_prepared_folder_holds_a_number(tmp_path: Path) -> None:
    _prepared(tmp_path)
    everything = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.toml")).lower()
    assert not any(badge.uid.hex() in everything for badge in badges_of("murat", 6, seed=1).values() if badge.uid)


def test_the_same_seed_makes_the_same_badges() -> None:
    assert badges_of("murat", 6, seed=1) == badges_of("murat", 6, seed=1)
    assert badges_of("murat", 6, seed=1) != badges_of("murat", 6, seed=2)
    assert badges_of("murat", 6, seed=1)["jeanne"].uid != badges_of("ydes", 6, seed=1)["jeanne"].uid


def test_one_member_in_two_has_a_desfire_card() -> None:
    kinds = [badge.kind for badge in members_of(badges_of("murat", 6, seed=1))]
    assert set(kinds) == {"ntag424", "desfire"}
    assert abs(kinds.count("ntag424") - kinds.count("desfire")) <= 1


def test_more_members_than_desks_may_enter() -> None:
    assert len(members_of(badges_of("aurillac", 30, seed=1))) > 30


def test_a_network_written_and_read_again_is_the_same() -> None:
    part = part_of(NETWORK, sites=6, opening_hours=ALWAYS_OPEN)
    assert read_network(network_toml(part)) == part


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[network", "not valid TOML"),
        ("[network]\nid = 'x'", "lacks the key"),
        (network_toml(NETWORK).replace("desks = 8", "desks = -1"), "'desks' of 'aurillac'"),
        (network_toml(NETWORK).replace("desks = 8", "desks = true"), "'desks' of 'aurillac'"),
        (network_toml(NETWORK).replace('"murat"', '"../murat"'), "no site id"),
        (network_toml(NETWORK).replace('"murat"', '"ydes"'), "an id of its own"),
    ],
)
def test_a_wrong_network_file_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(NetworkError, match=sentence):
        read_network(text)


def test_more_sites_than_the_network_has_are_refused() -> None:
    with pytest.raises(NetworkError, match="choose from 1 to 10"):
        part_of(NETWORK, sites=11)


def test_a_long_or_unusual_state_path_gets_a_short_private_run_folder(tmp_path: Path) -> None:
    for root in (tmp_path / ("x" * 100), tmp_path / "Télécentres d'ici"):
        run = Folder(root).run
        assert len(str(run)) <= MAX_RUN_LENGTH
        assert run.is_absolute()
    assert Folder(Path("/srv/demo")).run == Path("/srv/demo/run")


def test_dead_links_of_a_killed_demo_are_taken_away_at_the_next_start(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    folder.port("murat", "reader-01").symlink_to("/dev/pts/99999")
    kept = folder.run / "murat" / "notes"
    kept.write_text("not ours")
    open_run(folder, ("murat",))
    assert list(leftovers(folder)) == []
    assert kept.exists()


def test_a_calendar_holds_its_bookings_and_nobodys_name() -> None:
    text = calendar_of([(1_763_730_000, 1_763_733_600)])
    assert "DTSTART:20251121T130000Z\r\nDTEND:20251121T140000Z\r\n" in text
    assert "ORGANIZER" not in text
    assert "ATTENDEE" not in text
