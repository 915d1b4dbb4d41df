"""The register of passes in the database: what each change concerns, and what is forgotten."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.rights import FreeAccess
from hub.network import read_network
from hub.passes import Badge, NewBadge, Person, Terms, read_moment
from hub.store import Store
from hub.store.connection import Engine
from hub.store.issues import put_site_key, read_keyed
from hub.store.pass_changes import (
    add_badge,
    add_free_access,
    add_member,
    add_pass,
    change_badge,
    change_pass,
    end_pass,
    forget_old,
)
from hub.store.passes import counter, read_badge, read_pass, read_register
from tests.support.telecentres import CANTAL, NOON_MS, cantal

DAY_MS = 86_400_000
TERMS = Terms("visitor", read_moment("2026-01-01"), sites=("murat",))


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    made = cantal(home)
    with made.changed() as connection:
        for site in ("murat", "aurillac"):
            put_site_key(connection, site, "ab" * 32, NOON_MS)
    yield made
    made.close()


def a_badge(store: Store, terms: Terms = TERMS, new: NewBadge = NewBadge()) -> Badge:  # noqa: B008 -- frozen
    with store.changed() as connection:
        member = add_member(connection, None, Person("Ada"), NOON_MS, secrets.token_bytes)
        made = add_pass(connection, member, terms, NOON_MS, secrets.token_bytes)
        return add_badge(connection, made, new, NOON_MS, secrets.token_bytes)


def concerned(store: Store) -> dict[str, tuple[int, int, int]]:
    """Return of each site the count of its last change, revocation and revocation of an emergency badge."""
    with store.seen() as connection:
        return {one.site: (one.changed, one.revoked, one.emergency_revoked) for one in read_keyed(connection)}


def count(store: Store) -> int:
    with store.seen() as connection:
        return counter(connection)


def test_a_new_badge_concerns_its_sites_and_takes_nothing_away(store: Store) -> None:
    before = concerned(store)
    a_badge(store)
    after = concerned(store)
    assert after["aurillac"] == before["aurillac"]
    assert after["murat"] == (count(store), 0, 0)


def test_a_pass_of_the_whole_network_concerns_every_site(store: Store) -> None:
    a_badge(store, Terms("visitor", read_moment("2026-01-01")))
    assert set(concerned(store).values()) == {(count(store), 0, 0)}


def test_a_badge_of_one_site_concerns_it_alone(store: Store) -> None:
    badge = a_badge(store, Terms("visitor", read_moment("2026-01-01")), NewBadge(site="murat", emergency=True))
    before = concerned(store)
    with store.changed() as connection:
        change_badge(connection, badge.label, NOON_MS + 1, state="stolen")
    after = concerned(store)
    assert after["murat"] == (count(store),) * 3
    assert after["aurillac"] == before["aurillac"]


def test_a_pass_that_moves_is_a_revocation_where_it_was(store: Store) -> None:
    badge = a_badge(store)
    with store.changed() as connection:
        moved = Terms("visitor", TERMS.valid_from, sites=("aurillac",))
        change_pass(connection, badge.pass_id, moved, NOON_MS + 1)
    assert concerned(store)["murat"][:2] == (count(store), count(store))
    with store.changed() as connection:
        end_pass(connection, badge.pass_id, NOON_MS + 2)
    assert concerned(store)["aurillac"][:2] == (count(store), count(store))


def test_what_changes_nothing_is_no_change(store: Store) -> None:
    badge = a_badge(store)
    before = count(store)
    with store.changed() as connection:
        change_badge(connection, badge.label, NOON_MS + 1, state="active")
        change_pass(connection, badge.pass_id, TERMS, NOON_MS + 1)
    assert count(store) == before


def test_two_changes_of_one_millisecond_are_two_rows_in_order(store: Store) -> None:
    badge = a_badge(store)
    with store.changed() as connection:
        for state in ("lost", "active", "stolen"):
            change_badge(connection, badge.label, NOON_MS, state=state)
        assert [one.state for one in read_badge(connection, badge.label)] == ["active", "lost", "active", "stolen"]


def test_the_register_is_known_as_it_was(store: Store) -> None:
    badge = a_badge(store)
    with store.changed() as connection:
        change_badge(connection, badge.label, NOON_MS + 10, state="lost")
    with store.seen() as connection:
        states = [read_register(connection, at).badges for at in (NOON_MS - 1, NOON_MS, NOON_MS + 10)]
    assert [[one.state for one in badges] for badges in states] == [[], ["active"], ["lost"]]


def test_what_was_superseded_is_forgotten_after_90_days_and_what_holds_is_not(store: Store) -> None:
    badge = a_badge(store)
    with store.changed() as connection:
        change_badge(connection, badge.label, NOON_MS + DAY_MS, state="lost")
        end_pass(connection, badge.pass_id, NOON_MS + DAY_MS)
    with store.changed() as connection:
        assert forget_old(connection, NOON_MS + 91 * DAY_MS) == 0
        assert forget_old(connection, NOON_MS + 91 * DAY_MS + 1) == 2
        assert [one.state for one in read_badge(connection, badge.label)] == ["lost"]
        assert [one.ended for one in read_pass(connection, badge.pass_id)] == [True]


def test_an_event_that_is_made_shorter_takes_a_right_away(store: Store) -> None:
    hour_ms = DAY_MS // 24
    with store.changed() as connection:
        add_free_access(connection, "murat", FreeAccess(door="door-01", start=NOON_MS, end=NOON_MS + hour_ms), NOON_MS)
        event = FreeAccess(door="door-01", start=NOON_MS, end=NOON_MS + 2 * hour_ms)
        add_free_access(connection, "murat", event, NOON_MS)
    assert concerned(store)["murat"] == (count(store), 0, 0)
    with store.changed() as connection:
        add_free_access(connection, "murat", FreeAccess(door="door-01", start=NOON_MS, end=NOON_MS + hour_ms), NOON_MS)
    assert concerned(store)["murat"] == (count(store), count(store), 0)


@pytest.mark.parametrize("key", ["id", "time_zone"])
def test_a_site_of_another_network_or_zone_gets_another_list_which_takes_rights_away(store: Store, key: str) -> None:
    network = read_network(CANTAL)
    other = {"id": "lozere", "time_zone": "Indian/Reunion"}[key]
    table = network.network.model_copy(update={key: other})
    store.import_network(network.model_copy(update={"network": table}))
    changed, revoked, emergency = concerned(store)["murat"]
    assert changed == revoked == emergency > 0
    store.import_network(network.model_copy(update={"network": table}))
    assert concerned(store)["murat"] == (changed, revoked, emergency), "said twice, it changes nothing"
