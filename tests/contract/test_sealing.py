import tomllib
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.sealing import Purpose, SealError, public_key_of, seal, unseal, verify_key_of

HUB, OTHER_HUB = bytes(range(32)), bytes(range(1, 33))
SITE, OTHER_SITE = bytes(range(64, 96)), bytes(range(96, 128))
ONCE = bytes(range(200, 232))
VECTORS = Path(__file__).parents[1] / "vectors/sealed.toml"


def sealed_for(body: bytes, site: str = "murat", purpose: Purpose = "rights", key: bytes = HUB) -> bytes:
    return seal(purpose, site, body, signing_key=key, recipient=public_key_of(SITE), ephemeral=ONCE)


def opened(sealed: bytes, site: str = "murat", purpose: Purpose = "rights", key: bytes = SITE) -> bytes:
    verify_key = verify_key_of(HUB)
    return unseal(purpose, site, sealed, verify_key=verify_key, private_key=key, max_bytes=1_000, max_body=2_000)


def refused(sealed: bytes, site: str = "murat", purpose: Purpose = "rights", key: bytes = SITE) -> str:
    with pytest.raises(SealError) as caught:
        opened(sealed, site, purpose, key)
    return caught.value.reason


@given(st.binary(max_size=400))
def test_a_sealed_body_comes_back_as_it_went(body: bytes) -> None:
    assert opened(sealed_for(body)) == body


def test_the_golden_message_is_made_and_opened_as_written_down() -> None:
    vector = tomllib.loads(VECTORS.read_text())["sealed"]
    keys = {name: bytes.fromhex(vector[name]) for name in ("signing_key", "site_private_key", "ephemeral")}
    recipient = public_key_of(keys["site_private_key"])
    sealed = seal(
        vector["purpose"],
        vector["site"],
        vector["body"].encode(),
        signing_key=keys["signing_key"],
        recipient=recipient,
        ephemeral=keys["ephemeral"],
    )
    assert verify_key_of(keys["signing_key"]).hex() == vector["verify_key"]
    assert recipient.hex() == vector["site_public_key"]
    assert sealed.hex() == vector["sealed"]
    assert opened(sealed, key=keys["site_private_key"]) == vector["body"].encode()


def test_a_body_sealed_for_another_site_is_not_opened() -> None:
    assert refused(sealed_for(b"list", site="allanche")) == "seal"
    assert refused(sealed_for(b"list"), key=OTHER_SITE) == "seal"


def test_a_list_of_rights_is_not_taken_for_a_command() -> None:
    assert refused(sealed_for(b"list"), purpose="command") == "seal"


def test_a_body_signed_by_another_hub_is_refused() -> None:
    assert refused(sealed_for(b"list", key=OTHER_HUB)) == "signature"


@given(st.data())
def test_one_changed_bit_anywhere_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(sealed_for(b"list of rights"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    # The top bit of an X25519 public key is not part of it (RFC 7748, 5), but it is part of what is authenticated.
    assert refused(bytes(sealed)) in {"form", "seal"}


@given(st.integers(0, 200))
def test_a_truncated_message_is_refused(length: int) -> None:
    sealed = sealed_for(b"a list of rights that is long enough to be cut somewhere")
    assert refused(sealed[: min(length, len(sealed) - 1)]) in {"form", "seal"}


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_by_a_seal_error_and_nothing_else(garbage: bytes) -> None:
    assert refused(garbage) == "form"
    assert refused(b"TCS1" + garbage) in {"form", "seal"}


def test_a_message_above_the_limit_is_refused_before_it_is_opened() -> None:
    assert refused(b"TCS1" + bytes(997)) == "size"


def test_a_body_that_grows_above_the_limit_is_refused_without_being_inflated() -> None:
    assert refused(sealed_for(bytes(100_000))) == "size"


def test_a_signed_body_that_is_no_zlib_stream_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "compress", lambda body, _level: body)
    assert refused(sealed_for(b"list")) == "compression"


def test_a_public_key_of_low_order_is_refused() -> None:
    assert refused(b"TCS1" + bytes(32) + bytes(100)) == "seal"
