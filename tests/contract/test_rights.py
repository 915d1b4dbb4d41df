import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.commands import Command, EnrolSecured, decode_command, encode_command
from contract.rights import BadgeRight, FreeAccess, Profile, RightsList, WeeklyWindow, decode_rights, encode_rights

T = 1_790_000_000_000
BADGE, KEY = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def a_list() -> RightsList:
    return RightsList(
        site="murat",
        version=T,
        issued_at=T,
        expires_at=T + 604_800_000,
        holidays=["2026-11-11"],
        profiles=[Profile(windows=[WeeklyWindow(days=[1, 2, 3, 4, 5], start=480, end=1140)], holidays=False)],
        badges=[
            BadgeRight(id="k7q2m9x4", badge=BADGE, key=KEY, profile=0, valid_until=T + 1),
            BadgeRight(id="m3", badge="00" * 16, state="stolen", profile=0),
            BadgeRight(id="over", badge="11" * 16, profile=0, valid_until=T),
            BadgeRight(id="u1", profile=0, doors=["door-01"], emergency=True),
        ],
        free_access=[FreeAccess(door="door-01", start=T, end=T + 3_600_000)],
    )


def test_a_list_comes_back_as_it_went() -> None:
    assert decode_rights(encode_rights(a_list())) == a_list()


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": T},
        {"site": "hub"},
        {"version": 0},
        {"profiles": []},
        {"badges": [{"id": "a", "profile": 0}, {"id": "a", "profile": 0}]},
        {"badges": [{"id": "a", "badge": BADGE, "profile": 0}]},
        {"badges": [{"id": "a", "badge": BADGE, "profile": 0, "valid_until": T + 1}]},
        {"badges": [{"id": "a", "badge": BADGE, "key": KEY, "profile": 0, "valid_until": T}]},
        {"badges": [{"id": "a", "badge": BADGE, "key": KEY, "state": "lost", "profile": 0}]},
        {"badges": [{"id": "a", "key": KEY, "profile": 0}]},
        {"badges": [{"id": "a", "badge": "00" * 16, "key": KEY, "profile": 0, "uid": "04A2241B"}]},
        {"badges": [{"id": i, "badge": BADGE, "key": KEY, "profile": 0} for i in "ab"]},
        {"badges": [{"id": "a", "profile": 0, "valid_from": 2, "valid_until": 2}]},
        {"profiles": [{"windows": [{"days": [1], "start": 600, "end": 600}]}]},
        {"profiles": [{"windows": [{"days": [8], "start": 0, "end": 600}]}]},
        {"holidays": ["11/11/2026"]},
        {"holidays": ["2026-02-30"]},
        {"holidays": ["\u0662\u0660\u0662\u0666-01-01"]},
    ],
)
def test_a_list_with_one_impossible_thing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_rights(json.dumps({**json.loads(encode_rights(a_list())), **change}).encode())


def test_the_refusal_of_a_list_names_no_key() -> None:
    document = json.loads(encode_rights(a_list()))
    document["badges"][0]["key"] = KEY + "zz"
    with pytest.raises(ValueError, match=r"badges\.0\.key") as caught:
        decode_rights(json.dumps(document).encode())
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_error_of_the_list_or_of_a_command_shows_no_key() -> None:
    for broken in (
        lambda: BadgeRight(id="k7q2m9x4", key=KEY, profile=0),
        lambda: EnrolSecured(reader="reader-01", badge=BADGE, key=f"{KEY}0"),
    ):
        with pytest.raises(ValidationError) as shown:
            broken()
        assert KEY[:8] not in str(shown.value)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_by_a_value_error_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_rights(garbage)


def test_a_command_comes_back_as_it_went() -> None:
    order = EnrolSecured(reader="reader-01", badge=BADGE, key=KEY)
    command = Command(id=BADGE, site="murat", issued_at=T, expires_at=T + 30_000, order=order)
    assert decode_command(encode_command(command)) == command


def test_there_is_no_command_that_opens_a_door() -> None:
    text = json.dumps(Command.model_json_schema())
    kinds = [
        part["properties"]["kind"]["const"]
        for part in json.loads(text)["$defs"].values()
        if "kind" in part["properties"]
    ]
    assert sorted(kinds) == ["cancel_enrolment", "enrol_secured", "enrol_uid"]
    with pytest.raises(ValidationError):
        Command.model_validate_json(encode_command_with({"kind": "open_door", "door": "door-01"}))


def encode_command_with(order: dict[str, object]) -> bytes:
    whole = {"id": BADGE, "site": "murat", "issued_at": T, "expires_at": T + 1, "order": order}
    return json.dumps(whole).encode()
