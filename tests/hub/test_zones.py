"""Zones in the register: they overlap, have dates of effect, and a file that is wrong about them is refused."""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from host.settings import SettingsError
from hub.__main__ import main
from hub.network import Network, read_network
from hub.store import Store
from hub.store.connection import Engine
from tests.support.telecentres import CANTAL, store_in

FIRST, LATER = date(2026, 10, 1), date(2026, 10, 20)


def network(*zones: dict[str, Any]) -> Network:
    content = tomllib.loads(CANTAL.read_text(encoding="utf-8"))
    return Network.model_validate({**content, "zone": list(zones)})


def valley(*sites: str, **others: str) -> dict[str, Any]:
    return {"id": "monts", "name": "Monts du Cantal", "level": "valley", "sites": list(sites), **others}


def sites_of(store: Store, zone: str, on: date | None = None) -> tuple[str, ...] | None:
    return next((it.sites for it in store.zones(on) if it.id == zone), None)


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    opened = store_in(home)
    yield opened
    opened.close()


def test_the_zones_of_the_reference_network_overlap_and_each_network_is_one(store: Store) -> None:
    store.import_network(read_network(CANTAL))
    levels = {zone.id: (zone.level, len(zone.sites)) for zone in store.zones()}
    assert levels == {
        "est-cantal": ("territory", 4),
        "haute-auvergne": ("territory", 3),
        "massif-central": ("massif", 10),
        "monts-du-cantal": ("valley", 4),
        "reseau:cantal": ("network", 10),
    }


def test_an_import_says_what_changed_of_the_zones_and_nothing_when_nothing_did(store: Store) -> None:
    said = store.import_network(network(valley("murat", "allanche")), today=FIRST)
    assert "zone monts: new, a valley of 2 telecentres" in said
    assert store.import_network(network(valley("allanche", "murat")), today=LATER) == []
    assert store.import_network(network(valley("murat", "ydes", name="Monts", level="territory")), today=LATER) == [
        "zone monts: name is 'Monts', was 'Monts du Cantal'",
        "zone monts: level is 'territory', was 'valley'",
        "zone monts: ydes belongs to it from 2026-10-20",
        "zone monts: allanche is out of it from 2026-10-20",
    ]


def test_a_new_zone_holds_for_all_days_and_a_change_from_its_day_on(store: Store) -> None:
    store.import_network(network(valley("murat", "allanche")), today=FIRST)
    store.import_network(network(valley("murat", "ydes")), today=LATER)
    assert sites_of(store, "monts", date(2020, 1, 1)) == ("allanche", "murat")
    assert sites_of(store, "monts", date(2026, 10, 19)) == ("allanche", "murat")
    assert sites_of(store, "monts", LATER) == sites_of(store, "monts") == ("murat", "ydes")


def test_a_zone_that_the_file_does_not_name_any_more_is_gone_and_may_come_back(store: Store) -> None:
    store.import_network(network(valley("murat")), today=FIRST)
    assert store.import_network(network(), today=LATER) == ["zone monts: is gone from 2026-10-20"]
    assert sites_of(store, "monts") is None
    assert sites_of(store, "monts", FIRST) == ("murat",)
    assert store.import_network(network(), today=LATER) == []
    store.import_network(network(valley("murat")), today=LATER)
    assert sites_of(store, "monts", LATER) == ("murat",)


ZONE = '[[zone]]\nid = "{id}"\nname = "Monts"\nlevel = "{level}"\nsites = {sites}\n'


@pytest.mark.parametrize(
    ("zones", "sentence"),
    [
        ([("monts", "valley", '["murat", "nowhere"]')], "'nowhere' is no site of this file or of the register"),
        ([("monts", "valley", '["murat", "murat"]')], "the zone 'monts' names the site 'murat' twice"),
        ([("reseau", "valley", '["murat"]')], "the zone id 'reseau' is reserved for networks"),
        ([("reseau:a", "valley", '["murat"]')], "'zone[1].id' is wrong"),
        ([("monts", "network", '["murat"]')], "valley"),
        ([("monts", "valley", "[]")], "'zone[1].sites' is wrong: at least 1"),
        ([("monts", "valley", '["murat"]')] * 2, "the zone 'monts' is written twice"),
    ],
)
def test_a_wrong_zone_is_refused_with_file_and_line(
    tmp_path: Path, zones: list[tuple[str, str, str]], sentence: str
) -> None:
    file = tmp_path / "network.toml"
    before = CANTAL.read_text(encoding="utf-8").partition("# Zones")[0]
    text = before + "".join(ZONE.format(id=name, level=level, sites=sites) for name, level, sites in zones)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"network\.toml, line \d+") as error:
        read_network(file)
    assert sentence in str(error.value)
    assert int(str(error.value).split("line ")[1].split(":")[0].split(",")[0]) > before.count("\n")


def aubrac(folder: Path, zone: str, sites: str) -> Path:
    """Write down another network, of one telecentre and one zone."""
    other = folder / "other.toml"
    other.write_text(
        '[network]\nid = "aubrac"\nname = "Aubrac"\ntime_zone = "Europe/Paris"\nopening_hours = "24/7"\n'
        '[[site]]\nid = "laguiole"\nname = "Laguiole"\ndesks = 3\n' + ZONE.format(id=zone, level="massif", sites=sites),
        encoding="utf-8",
    )
    return other


def imported(file: Path) -> tuple[int, str]:
    """Return exit code and output of an import into the database beside the file."""
    settings = file.parent / "hub.toml"
    settings.write_text('[database]\nfile = "hub.db"\n[broker]\nembedded = true\n', encoding="utf-8")
    done = CliRunner().invoke(main, ["site", "import", str(file), "--config", str(settings)])
    return done.exit_code, done.output


def test_a_zone_of_another_network_is_not_taken_over(tmp_path: Path) -> None:
    cantal = tmp_path / "cantal.toml"
    cantal.write_text(CANTAL.read_text(encoding="utf-8"), encoding="utf-8")
    assert imported(cantal)[0] == 0
    before = Store(tmp_path / "hub.db").zones()
    other = aubrac(tmp_path, "est-cantal", '["laguiole"]')
    code, said = imported(other)
    line = other.read_text(encoding="utf-8").partition('id = "est-cantal"')[0].count("\n") + 1
    sentence = "the network 'cantal' (CyberCantal Télécentres) has a zone 'est-cantal': give this one another id"
    assert (code, said) == (78, f"telecentre-hub: {other}, line {line}: 'zone[1].id' is wrong: {sentence}\n")
    assert Store(tmp_path / "hub.db").zones() == before, "nothing of the file is in the register"


def test_a_network_of_another_id_keeps_its_zones_and_what_was_let_go_may_be_taken_up(store: Store) -> None:
    old = network(valley("murat", "allanche"))
    renamed = old.model_copy(update={"network": old.network.model_copy(update={"id": "auvergne"})})
    store.import_network(old, today=FIRST)
    assert "zone monts: network is 'auvergne', was 'cantal'" in store.import_network(renamed, today=FIRST)
    rest = old.model_copy(update={"site": old.site[:1], "zone": []})
    store.import_network(rest, today=FIRST)
    store.import_network(renamed.model_copy(update={"site": old.site[1:], "zone": []}), today=LATER)
    taken = rest.model_copy(update={"zone": old.zone})
    assert "zone monts: network is 'cantal', was 'auvergne'" in store.import_network(taken, today=LATER)


def test_a_zone_may_name_the_sites_of_a_file_imported_before(tmp_path: Path) -> None:
    other = aubrac(tmp_path, "massif", '["laguiole", "murat"]')
    cantal = tmp_path / "cantal.toml"
    cantal.write_text(CANTAL.read_text(encoding="utf-8"), encoding="utf-8")
    refused = imported(other)
    assert (refused[0], "'murat' is no site of this file or of the register" in refused[1]) == (78, True)
    assert imported(cantal)[0] == 0
    assert "zone massif: new, a massif of 2 telecentres" in imported(other)[1]
    assert sites_of(Store(tmp_path / "hub.db"), "massif") == ("laguiole", "murat")
