"""The list of rights of a site: who is in it, what of them, and how long a revoked badge could still open."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.limits import MAX_RIGHTS_BYTES
from contract.messages import RightsStatus
from contract.rights import MAX_BADGES, CredentialState, FreeAccess, RightsList, decode_rights, encode_rights
from contract.sealing import public_key_of, seal, unseal, verify_key_of
from hub.opening import public_holidays
from hub.passes import STATES, Badge, Pass, Register, Terms, new_id, read_moment, read_windows
from hub.rights import MAX_FREE_ACCESS, TOLD_MS, TooLargeError, is_due, next_version, rights_for, standing
from hub.store.rows import Issued, Keyed, Site
from tests.support.telecentres import NOON_MS

HOUR_MS = 3_600_000
LIFE_MS = 168 * HOUR_MS
MURAT = Site("murat", "Murat", "Europe/Paris", "24/7", None, None, None, "cantal", "Cantal", (), (), ())
TERMS = Terms("employee", read_moment("2026-01-01"))


def key_of(badge: str, network: str) -> str:
    return hashlib.sha256(f"{badge} {network}".encode()).hexdigest()[:32]


def list_of(register: Register, *, at_ms: int = NOON_MS, site: Site = MURAT) -> RightsList:
    return rights_for(site, register, [date(2026, 12, 25)], (at_ms, at_ms, LIFE_MS), key_of)


def register_of(*parts: tuple[Terms, Badge]) -> Register:
    passes = {badge.pass_id: Pass(badge.pass_id, "m", "cantal", terms) for terms, badge in parts}
    return Register(7, passes, tuple(badge for _, badge in parts))


def secured(number: int = 1) -> Badge:
    return Badge(f"badge-{number}", f"A{number}-A2A", f"pass-{number}", badge=f"{number:032x}")


def test_a_badge_that_may_enter_is_listed_with_its_own_key_and_its_profile() -> None:
    terms = replace(TERMS, windows=read_windows("Mo-Fr 08:00-19:00"), valid_until=read_moment("2027-01-01"))
    rights = list_of(register_of((terms, secured())))
    (entry,) = rights.badges
    assert (entry.id, entry.badge, entry.key) == ("badge-1", f"{1:032x}", key_of(f"{1:032x}", "cantal"))
    assert entry.valid_until == datetime(2026, 12, 31, 23, tzinfo=UTC).timestamp() * 1000
    assert rights.profiles[entry.profile].windows[0].days == [1, 2, 3, 4, 5]
    assert not rights.profiles[entry.profile].holidays
    assert (rights.site, rights.holidays, rights.expires_at) == ("murat", ["2026-12-25"], NOON_MS + LIFE_MS)


@pytest.mark.parametrize("state", ["lost", "stolen", "disabled"])
def test_a_badge_that_must_not_open_is_named_without_its_key(state: CredentialState) -> None:
    (entry,) = list_of(register_of((TERMS, replace(secured(), state=state)))).badges
    assert (entry.state, entry.key) == (state, None)


def test_a_badge_known_by_its_number_is_named_at_its_own_site_alone() -> None:
    uid = Badge("badge-1", "A1-A2A", "pass-1", site="murat")
    (entry,) = list_of(register_of((TERMS, uid))).badges
    assert (entry.badge, entry.key) == (None, None)
    assert list_of(register_of((TERMS, replace(uid, site="aurillac")))).badges == []


def test_who_may_enter_elsewhere_alone_is_not_listed() -> None:
    assert list_of(register_of((replace(TERMS, sites=("aurillac",)), secured()))).badges == []
    other = replace(MURAT, network="lozere")
    assert list_of(register_of((TERMS, secured())), site=other).badges == []


def test_what_was_removed_or_ended_is_not_listed() -> None:
    register = register_of((TERMS, replace(secured(), removed=True)))
    assert list_of(register).badges == []
    register = register_of((TERMS, secured()))
    ended = {name: replace(one, ended=True) for name, one in register.passes.items()}
    assert list_of(replace(register, passes=ended)).badges == []


def test_a_badge_whose_pass_is_over_is_named_without_its_key_for_a_month() -> None:
    end_ms = int(datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()) * 1000
    register = register_of((replace(TERMS, valid_until=read_moment("2026-11-21")), secured()))
    assert [one.key is None for one in list_of(register, at_ms=end_ms - 1).badges] == [False]
    assert [one.key is None for one in list_of(register, at_ms=end_ms).badges] == [True]
    assert [one.key is None for one in list_of(register, at_ms=end_ms + TOLD_MS - 1).badges] == [True]
    assert list_of(register, at_ms=end_ms + TOLD_MS).badges == []


def test_profiles_are_listed_once() -> None:
    other = replace(TERMS, holidays=True)
    rights = list_of(register_of((TERMS, secured(1)), (other, secured(2)), (TERMS, secured(3))))
    assert [entry.profile for entry in rights.badges] == [0, 1, 0]
    assert len(rights.profiles) == 2


def test_an_event_day_is_listed_while_the_list_holds() -> None:
    events = {
        "now": FreeAccess(door="door-01", start=NOON_MS - HOUR_MS, end=NOON_MS + HOUR_MS),
        "over": FreeAccess(door="door-01", start=NOON_MS - 2 * HOUR_MS, end=NOON_MS),
        "later": FreeAccess(door="door-01", start=NOON_MS + LIFE_MS, end=NOON_MS + LIFE_MS + HOUR_MS),
    }
    register = replace(register_of(), free_access={"murat": tuple(events.values()), "aurillac": (events["now"],)})
    assert list_of(register).free_access == [events["now"]]


def test_a_pass_for_the_hour_that_spring_skips_is_never_valid() -> None:
    skipped = replace(TERMS, valid_from=read_moment("2026-03-29T02:00"), valid_until=read_moment("2026-03-29T03:00"))
    at_ms = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp()) * 1000
    assert list_of(register_of((skipped, secured())), at_ms=at_ms).badges == []


def test_more_event_days_than_a_list_carries_are_too_large() -> None:
    event = FreeAccess(door="door-01", start=NOON_MS, end=NOON_MS + 1)
    with pytest.raises(TooLargeError, match="201 event days"):
        list_of(replace(register_of(), free_access={"murat": (event,) * (MAX_FREE_ACCESS + 1)}))


def test_public_holidays_are_those_of_france() -> None:
    found = public_holidays(date(2026, 1, 1), date(2026, 12, 31))
    assert [f"{day:%m-%d}" for day in found] == [
        "01-01",
        "04-06",
        "05-01",
        "05-08",
        "05-14",
        "05-25",
        "07-14",
        "08-15",
        "11-01",
        "11-11",
        "12-25",
    ]


def test_two_holidays_in_a_row_are_two() -> None:
    assert public_holidays(date(2008, 5, 1), date(2008, 5, 1)) == [date(2008, 5, 1)]


# An oracle that knows nothing of the code: it walks the hours of the list's life on the wall clock of the site.
START = datetime(2026, 3, 20, tzinfo=UTC)
moments = st.integers(0, 24 * 24).map(lambda hours: datetime(2026, 3, 15) + timedelta(hours=hours))  # noqa: DTZ001 -- local
terms_of_a_pass = st.builds(
    lambda begins, lasts, sites, holidays: Terms(
        "visitor", begins, None if lasts is None else begins + timedelta(hours=lasts), sites, holidays=holidays
    ),
    moments.filter(lambda moment: moment.hour not in (1, 2, 3)),
    st.sampled_from([None, 5, 24, 48, 24 * 9]),
    st.sampled_from([(), ("murat",), ("aurillac",), ("aurillac", "murat")]),
    st.booleans(),
)
parts_of_a_register = st.lists(
    st.tuples(terms_of_a_pass, st.sampled_from(STATES), st.sampled_from([None, "murat", "aurillac"]), st.booleans()),
    max_size=6,
)


def local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, MURAT.zone).replace(tzinfo=None)


@settings(max_examples=150, deadline=None)
@given(parts_of_a_register, st.integers(0, 24 * 14))
def test_a_list_holds_exactly_who_may_enter_in_some_hour_of_its_life(
    drawn: list[tuple[Terms, CredentialState, str | None, bool]], hours: int
) -> None:
    at_ms = int(START.timestamp()) * 1000 + hours * HOUR_MS
    parts = [
        (
            terms,
            Badge(f"badge-{n}", "", f"pass-{n}", None if site else f"{n:032x}", site, state, removed=removed),
        )
        for n, (terms, state, site, removed) in enumerate(drawn)
    ]
    rights = list_of(register_of(*parts), at_ms=at_ms)
    listed = {entry.id: entry for entry in rights.badges}
    for terms, badge in parts:
        here = badge.site in (None, "murat") and (not terms.sites or "murat" in terms.sites) and not badge.removed
        valid = {
            at
            for at in range(at_ms, at_ms + LIFE_MS, HOUR_MS)
            if terms.valid_from <= local(at) < (terms.valid_until or datetime(2100, 1, 1))  # noqa: DTZ001 -- local
        }
        # No drawn moment is 30 days after the end of a pass.
        over = terms.valid_until is not None and terms.valid_until <= local(at_ms)
        assert (badge.credential in listed) == (here and (bool(valid) or over))
        if badge.credential in listed:
            entry = listed[badge.credential]
            begins, ends = entry.valid_from or 0, entry.valid_until or 2**53
            assert {at for at in range(at_ms, at_ms + LIFE_MS, HOUR_MS) if begins <= at < ends} == valid
            assert (entry.key is not None) == (badge.state == "active" and badge.badge is not None and not over)
    assert decode_rights(encode_rights(rights)) == rights


def test_some_18_000_badges_fit_in_a_sealed_list_and_20_000_do_not() -> None:
    sample = 1_500
    badges = []
    for n in range(sample):
        noise = hashlib.sha256(str(n).encode()).digest()
        badges.append(replace(secured(n), credential=new_id(noise[:8]), badge=noise[8:24].hex()))
    ends = [read_moment(f"2027-{1 + n % 12:02}-{1 + n % 28:02}") for n in range(84)]
    parts = [(replace(TERMS, valid_until=ends[n % len(ends)]), badge) for n, badge in enumerate(badges)]
    signing_key, private_key = bytes(range(32)), bytes(range(1, 33))
    body = encode_rights(list_of(register_of(*parts)))
    keys = {"signing_key": signing_key, "recipient": public_key_of(private_key), "ephemeral": bytes(range(2, 34))}
    sealed = seal("rights", "murat", body, **keys)
    assert 17_000 < MAX_RIGHTS_BYTES / (len(sealed) / sample) < MAX_BADGES
    opened = unseal(
        "rights",
        "murat",
        sealed,
        verify_key=verify_key_of(signing_key),
        private_key=private_key,
        max_bytes=MAX_RIGHTS_BYTES,
        max_body=2**24,
    )
    assert len(decode_rights(opened).badges) == sample


DUE = Keyed(
    "murat", "", 5, 4, 0, 0, version=NOON_MS, counter=5, issued_at_ms=NOON_MS, expires_at_ms=0, badges=0, size_bytes=0
)


@pytest.mark.parametrize(
    ("keyed", "after_ms", "expected"),
    [
        (DUE, 0, False),
        (replace(DUE, changed=6), 0, True),
        (replace(DUE, version=None, counter=None, issued_at_ms=None), 0, True),
        (DUE, 24 * HOUR_MS - 1, False),
        (DUE, 24 * HOUR_MS, True),
        (DUE, -1, True),
    ],
)
def test_a_list_is_due_when_the_register_changed_or_a_day_has_passed(
    keyed: Keyed, after_ms: int, *, expected: bool
) -> None:
    assert is_due(keyed, NOON_MS + after_ms, 24 * HOUR_MS) == expected


def test_versions_grow_also_when_the_clock_does_not() -> None:
    assert next_version(DUE, NOON_MS + 5) == NOON_MS + 5
    assert next_version(DUE, NOON_MS - 5) == NOON_MS + 1


def reported(version: int, *, expires_in_s: float | None = 3600, trusted: bool = True) -> RightsStatus:
    return RightsStatus(
        version=version,
        issued_at=NOON_MS - HOUR_MS,
        expires_at=None if expires_in_s is None else NOON_MS + round(expires_in_s * 1000),
        credentials=3,
        trusted_at=NOON_MS if trusted else None,
    )


REVOKED = Issued("murat", version=20, revoked_at_ms=NOON_MS, needed_version=20)


@pytest.mark.parametrize(
    ("status", "issued", "may_open_s"),
    [
        (reported(10), replace(REVOKED, revoked_at_ms=None), 0),  # nothing was ever revoked there
        (reported(20), REVOKED, 0),  # confirmed
        (reported(21), REVOKED, 0),
        (reported(10), REVOKED, 3600),  # not yet: until the list in force expires
        (reported(10, expires_in_s=0.5), REVOKED, 1),  # never told shorter than it is
        (reported(10, expires_in_s=-5), REVOKED, 0),  # expired
        (reported(10), replace(REVOKED, needed_version=None), 3600),  # not issued yet
        (reported(10, trusted=False), REVOKED, 7200),  # the trusted time is at least that of the signing
        (reported(10, expires_in_s=None), REVOKED, None),  # a list from a file, without an end
        (reported(0), REVOKED, 0),  # the site has no list: nobody enters
        (reported(10), replace(REVOKED, revoked_emergency=True), None),  # opens beyond the expiry
        (reported(20), replace(REVOKED, revoked_emergency=True, needed_emergency_version=20), 0),
        (reported(10), replace(REVOKED, revoked_emergency=True, needed_emergency_version=5), 3600),
        (reported(10), None, None),  # not a list of this hub
        (None, REVOKED, None),  # the site has never said
        (None, replace(REVOKED, applied_version=20), 0),  # its history says
        (
            None,
            replace(REVOKED, applied_version=10, applied_at_ms=NOON_MS, applied_expires_at_ms=NOON_MS + LIFE_MS),
            LIFE_MS // 1000,  # nobody knows how long the Pi was off: the whole life
        ),
    ],
)
def test_how_long_a_revoked_badge_could_still_open(
    status: RightsStatus | None, issued: Issued | None, may_open_s: int | None
) -> None:
    assert standing(status, issued).may_open_s == may_open_s
