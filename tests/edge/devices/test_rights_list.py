from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from contract.rights import BadgeRight, FreeAccess, Profile, RightsList, WeeklyWindow
from edge.core.observations import DeviceFailed, DeviceReady, RightsLoaded, RightsRejected, UidBadgeKept
from edge.core.rights import Credential, Window
from edge.core.rights import FreeAccess as Opened
from edge.devices.rights_list import RightsReader, rights_of
from edge.devices.rights_store import Mark, RightsStore
from tests.support.heard import Heard, running
from tests.support.rights import ISSUED_MS, KEYS, WEEK_MS, a_list, install, of_uid_class, sealed, secured

BOOT, OTHER_BOOT = "0123456789abcdef" * 2, "fedcba9876543210" * 2
BADGE, KEY, HASH = bytes(range(16)), bytes(range(16, 32)), bytes(range(32))
ALICE = secured("alice", BADGE, KEY)


@contextmanager
def started(folder: Path, boot: str = BOOT) -> Iterator[tuple[RightsReader, Heard]]:
    (folder / "rights").mkdir(exist_ok=True)
    reader = RightsReader("murat", folder / "rights", KEYS, boot)
    with running(reader, "rights") as heard:
        assert heard.hears(DeviceReady)
        yield reader, heard


def versions(heard: Heard) -> list[int]:
    return [seen.rights.version for seen in heard.of(RightsLoaded)]


def refusals(heard: Heard) -> list[str]:
    return [seen.reason for seen in heard.of(RightsRejected)]


def test_a_list_from_the_hub_is_put_in_force_and_again_at_the_next_start(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        assert versions(heard) == []
        reader.offer(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)
    with started(tmp_path) as (_, heard):
        [loaded] = heard.of(RightsLoaded)
    assert loaded.rights.version == ISSUED_MS
    assert loaded.rights.keys() == {BADGE: KEY}
    assert loaded.trusted is not None
    assert loaded.trusted.now_ms(loaded.at) >= ISSUED_MS


def test_the_list_lies_sealed_on_the_disk_and_belongs_to_the_agent_alone(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        reader.offer(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)
    files = list((tmp_path / "rights").iterdir())
    assert {file.name for file in files} == {"rights.sealed", "trusted-time.json"}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert all(secret not in file.read_bytes() for file in files for secret in (KEY, KEY.hex().encode(), b"alice"))


def test_the_same_list_again_is_no_news(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        reader.offer(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)
        reader.offer(sealed(a_list(ALICE)))
        reader.offer(sealed(a_list(ALICE, version=ISSUED_MS + 1)))
        assert heard.hears(RightsLoaded, times=2)
    assert (versions(heard), refusals(heard)) == ([ISSUED_MS, ISSUED_MS + 1], [])


BAD_LISTS = {
    "signature": sealed(a_list(version=ISSUED_MS + 1), signing_key=bytes(32)),
    "older": sealed(a_list(version=ISSUED_MS - 1)),
    "expired": sealed(a_list(version=ISSUED_MS + 1).model_copy(update={"issued_at": 1, "expires_at": ISSUED_MS - 1})),
    "size": b"TCS1" + bytes(1_048_576),
    "form": b"a list",
    "site": sealed(a_list(site="allanche", version=ISSUED_MS + 1), site="murat"),
    "content": sealed(a_list(version=ISSUED_MS + 1).model_copy(update={"expires_at": 1})),
}
TRUNCATED = sealed(a_list(version=ISSUED_MS + 1))[:-20]
OF_ANOTHER_SITE = sealed(a_list(site="allanche", version=ISSUED_MS + 1))


@pytest.mark.parametrize(
    ("reason", "bad"), [*BAD_LISTS.items(), ("seal", TRUNCATED), ("seal", OF_ANOTHER_SITE)], ids=str
)
def test_a_bad_list_is_refused_once_with_its_reason_and_the_last_good_one_stays(
    tmp_path: Path, reason: str, bad: bytes
) -> None:
    with started(tmp_path) as (reader, heard):
        reader.offer(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)
        reader.offer(bad)
        assert heard.hears(RightsRejected)
    assert (versions(heard), refusals(heard)) == ([ISSUED_MS], [reason])
    with started(tmp_path) as (_, heard):
        pass
    assert versions(heard) == [ISSUED_MS]


def test_an_old_file_that_was_put_back_is_not_believed(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        reader.offer(sealed(a_list(ALICE, version=ISSUED_MS + 5)))
        assert heard.hears(RightsLoaded)
    (tmp_path / "rights/rights.sealed").write_bytes(sealed(a_list(ALICE)))
    with started(tmp_path) as (_, heard):
        assert heard.hears(RightsRejected)
    assert (versions(heard), refusals(heard)) == ([], ["older"])


@pytest.mark.parametrize("damage", [b"", b"TCS1", b"\x00" * 500])
def test_a_damaged_file_is_told_and_the_next_list_from_the_hub_heals_it(tmp_path: Path, damage: bytes) -> None:
    install(tmp_path, a_list(ALICE))
    (tmp_path / "rights/rights.sealed").write_bytes(damage)
    with started(tmp_path) as (reader, heard):
        assert heard.hears(RightsRejected)
        reader.offer(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)


def test_the_list_that_was_in_force_heals_its_own_damaged_file(tmp_path: Path) -> None:
    retained = sealed(a_list(ALICE))
    with started(tmp_path) as (reader, heard):
        reader.offer(retained)
        assert heard.hears(RightsLoaded)
    (tmp_path / "rights/rights.sealed").write_bytes(b"TCS1" + bytes(500))
    with started(tmp_path) as (reader, heard):
        assert heard.hears(RightsRejected)
        reader.offer(retained)
        assert heard.hears(RightsLoaded)
    assert (versions(heard), refusals(heard)) == ([ISSUED_MS], ["seal"])


def test_the_list_in_force_is_no_news_either_after_a_bad_one_came_between(tmp_path: Path) -> None:
    retained = sealed(a_list(ALICE))
    with started(tmp_path) as (reader, heard):
        reader.offer(retained)
        assert heard.hears(RightsLoaded)
        reader.offer(BAD_LISTS["signature"])
        assert heard.hears(RightsRejected)
        reader.offer(retained)
        reader.offer(sealed(a_list(ALICE, version=ISSUED_MS + 2)))
        assert heard.hears(RightsLoaded, times=2)
    assert (versions(heard), refusals(heard)) == ([ISSUED_MS, ISSUED_MS + 2], ["signature"])


def test_a_flood_of_bad_lists_is_told_once_for_each_reason(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        for number in range(200):
            reader.offer(sealed(a_list(version=ISSUED_MS + number), signing_key=bytes(32), once=number + 1))
        assert heard.hears(RightsRejected)
        reader.offer(sealed(a_list(ALICE, version=ISSUED_MS + 500)))
        assert heard.hears(RightsLoaded)
    assert refusals(heard) == ["signature"]


def test_a_list_that_expired_while_the_site_was_off_is_still_loaded_for_emergency_badges(tmp_path: Path) -> None:
    install(tmp_path, a_list(ALICE, life_ms=1))
    mark = Mark(mark_ms=ISSUED_MS + WEEK_MS, boot=OTHER_BOOT, mono_s=5.0, version=ISSUED_MS)
    RightsStore(tmp_path / "rights").keep_mark(mark)
    with started(tmp_path) as (_, heard):
        [loaded] = heard.of(RightsLoaded)
    assert loaded.trusted is not None
    assert 0 <= loaded.trusted.now_ms(loaded.at) - (ISSUED_MS + WEEK_MS) < 60_000


def test_a_list_that_a_technician_brought_is_taken_once(tmp_path: Path) -> None:
    with started(tmp_path) as (_, heard):
        (tmp_path / "rights/incoming.sealed").write_bytes(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)
    assert not (tmp_path / "rights/incoming.sealed").exists()


def test_a_disk_that_cannot_be_written_changes_nothing_at_the_door(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        (tmp_path / "rights").rename(tmp_path / "gone")
        reader.offer(sealed(a_list(ALICE)))
        assert heard.hears(RightsLoaded)
        assert heard.of(DeviceFailed) == []


def test_a_badge_of_the_uid_class_that_cannot_be_stored_is_none(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        reader.keep_uid_badge("bob", HASH)
        assert heard.hears(UidBadgeKept, lambda kept: kept.stored)
        (tmp_path / "rights").rename(tmp_path / "gone")
        reader.keep_uid_badge("eve", HASH)
        assert heard.hears(UidBadgeKept, lambda kept: kept.credential == "eve" and not kept.stored)
    assert b"eve" not in (tmp_path / "gone/uid-badges.json").read_bytes()


# --- Trusted time over restarts -----------------------------------------------------------------------------------


def test_the_mark_counts_on_over_a_restart_within_a_boot_and_stands_still_without_power(tmp_path: Path) -> None:
    (tmp_path / "rights").mkdir()
    with started(tmp_path) as (_, heard):
        now_s = heard.of(DeviceReady)[0].at.mono_s
    RightsStore(tmp_path / "rights").keep_mark(Mark(mark_ms=ISSUED_MS + 5, boot=BOOT, mono_s=now_s - 3.0, version=1))
    (tmp_path / "rights/rights.sealed").write_bytes(sealed(a_list(ALICE)))
    with started(tmp_path, BOOT) as (_, heard):
        [same_boot] = heard.of(RightsLoaded)
    assert same_boot.trusted is not None
    assert same_boot.trusted.now_ms(same_boot.at) >= ISSUED_MS + 5 + 3_000
    RightsStore(tmp_path / "rights").keep_mark(Mark(mark_ms=ISSUED_MS + 5, boot=OTHER_BOOT, mono_s=0.0, version=1))
    with started(tmp_path, BOOT) as (_, heard):
        [other_boot] = heard.of(RightsLoaded)
    assert other_boot.trusted is not None
    assert 5 <= other_boot.trusted.now_ms(other_boot.at) - ISSUED_MS < 3_000


# --- Badges of the UID class --------------------------------------------------------------------------------------


def test_a_badge_of_the_uid_class_is_the_card_that_the_site_enrolled(tmp_path: Path) -> None:
    with started(tmp_path) as (reader, heard):
        reader.offer(sealed(a_list(of_uid_class("bob"))))
        assert heard.hears(RightsLoaded)
        assert heard.of(RightsLoaded)[0].rights.credentials == {}
        reader.keep_uid_badge("bob", HASH)
        assert heard.hears(RightsLoaded, times=2)
    with started(tmp_path) as (_, heard):
        [loaded] = heard.of(RightsLoaded)
    assert loaded.rights.credentials == {HASH: Credential(id="bob", uid_hash=HASH)}


def test_a_card_that_is_enrolled_again_is_one_badge_and_costs_no_other(tmp_path: Path) -> None:
    other = bytes(reversed(HASH))
    with started(tmp_path) as (reader, heard):
        for count, (credential, uid_hash) in enumerate((("bob", HASH), ("eve", other)), start=1):
            reader.keep_uid_badge(credential, uid_hash)
            assert heard.hears(UidBadgeKept, times=count)
        (tmp_path / "rights/uid-badges.json").write_bytes(b"a worn out card")
        reader.keep_uid_badge("bob2", HASH)
        assert heard.hears(UidBadgeKept, times=3)
    assert RightsStore(tmp_path / "rights").uid_badges() == {"bob2": HASH, "eve": other}


def test_everything_in_a_list_reaches_the_decision() -> None:
    issued = RightsList(
        site="murat",
        version=3,
        issued_at=ISSUED_MS,
        expires_at=ISSUED_MS + WEEK_MS,
        holidays=["2026-11-11"],
        profiles=[Profile(), Profile(windows=[WeeklyWindow(days=[1, 2], start=480, end=1140)], holidays=False)],
        badges=[
            BadgeRight(
                id="alice",
                badge=BADGE.hex(),
                key=KEY.hex(),
                profile=1,
                valid_from=5,
                valid_until=ISSUED_MS + 6,
                doors=["door-01"],
                emergency=True,
            ),
            BadgeRight(id="carol", badge="00" * 16, state="stolen", profile=0),
        ],
        free_access=[FreeAccess(door="door-01", start=7, end=8)],
    )
    rights = rights_of(issued, {})
    assert rights.badges == {
        BADGE: Credential(
            id="alice",
            badge=BADGE,
            key=KEY,
            valid_from_ms=5,
            valid_until_ms=ISSUED_MS + 6,
            doors=frozenset({"door-01"}),
            windows=(Window(frozenset({1, 2}), 480, 1140),),
            holidays=False,
            emergency=True,
        ),
        bytes(16): Credential(id="carol", badge=bytes(16), state="stolen"),
    }
    assert (rights.issued_at_ms, rights.expires_at_ms) == (ISSUED_MS, ISSUED_MS + WEEK_MS)
    assert rights.holidays == {date(2026, 11, 11)}
    assert rights.free_access == (Opened("door-01", 7, 8),)
    assert KEY.hex() not in repr(rights)
    assert repr(KEY) not in repr(rights)
