"""What a demo tells its hub before people come: once, through the hub's own commands."""

import asyncio
import stat
from datetime import date
from pathlib import Path

import pytest

from hub.config import read_settings
from hub.keys import read_keys
from hub.store import Store
from hub.store.issues import read_keyed
from hub.store.passes import read_members, read_register
from simulators.badges import badges_of, registered
from simulators.badges_file import read_secrets
from simulators.folder import Folder, write_settings
from simulators.network import Network, packaged_network, part_of
from simulators.registration import RegistrationError, register

TODAY = date(2026, 11, 22)
TWO = part_of(packaged_network(), sites=2)
THREE = part_of(packaged_network(), sites=3)


def told(folder: Folder, network: Network, seed: int = 1) -> str:
    write_settings(folder, network, web_port=8001, broker_port=1884)
    return asyncio.run(register(folder, network, seed=seed, today=TODAY))


def people(network: Network) -> int:
    return sum(len(registered(badges_of(site.id, site.desks, 1))) for site in network.sites)


def test_the_hub_knows_keys_people_and_badges_and_the_cards_what_they_prove_themselves_with(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    hub_key = told(folder, TWO)
    settings = read_settings(folder.hub_toml).issuing
    assert settings is not None
    keys = read_keys(settings)
    assert keys.verify_key == hub_key
    with Store(folder.hub_database).seen() as connection:
        register_, members, keyed = read_register(connection), read_members(connection), read_keyed(connection)
    assert [one.site for one in keyed] == sorted(site.id for site in TWO.sites)
    assert len(members) == len(register_.badges) == people(TWO)
    states = [badge.state for badge in register_.badges]
    assert (states.count("lost"), states.count("disabled")) == (2, 2)
    over = [one for one in register_.passes.values() if one.terms.valid_until is not None]
    assert [one.terms.valid_until.date() for one in over if one.terms.valid_until] == [date(2026, 11, 21)] * 2
    secrets = read_secrets(folder.badges)
    on_cards = {secret.badge_id.hex(): secret.key.hex() for site in secrets.values() for secret in site.values()}
    assert on_cards == {badge.badge: keys.badge_key(badge.badge or "", "cantal") for badge in register_.badges}
    assert stat.S_IMODE(folder.badges.stat().st_mode) == 0o600
    assert not folder.bureau.exists(), "the keys are deleted once the cards are made"


def test_a_second_start_registers_who_is_new_and_changes_nobody(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    hub_key = told(folder, TWO)
    before = read_secrets(folder.badges)
    assert told(folder, THREE, seed=2) == hub_key
    after = read_secrets(folder.badges)
    assert {site: after[site] for site in before} == before
    assert sum(map(len, after.values())) == people(THREE)


def test_a_start_that_was_cut_short_is_finished_by_the_next_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    told(folder, TWO)
    before = read_secrets(folder.badges)
    folder.badges.unlink()
    told(folder, TWO)
    assert read_secrets(folder.badges) == before


def test_what_the_hub_refuses_is_one_sentence(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "badge-master.key").write_text("left alone")
    with pytest.raises(RegistrationError, match=r"refuses `keys init`: .*badge-master.key is there already"):
        told(folder, TWO)
