import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.credentials import UID_LENGTHS, uid_hash

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/credentials.toml").read_text())["uid_hash"]
KEY = bytes(range(32))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_the_hash_is_what_openssl_computes(vector: dict[str, str]) -> None:
    found = uid_hash(bytes.fromhex(vector["site_key"]), bytes.fromhex(vector["uid"]))
    assert found.hex() == vector["uid_hash"]


@given(st.binary(max_size=12).filter(lambda uid: len(uid) not in UID_LENGTHS))
def test_a_uid_of_another_length_is_refused(uid: bytes) -> None:
    with pytest.raises(ValueError, match="a UID has 4, 7 or 10 bytes"):
        uid_hash(KEY, uid)


@given(st.binary(max_size=64).filter(lambda key: len(key) != 32))
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="a site key has 32 bytes"):
        uid_hash(key, bytes(4))


def test_the_refusal_does_not_repeat_the_uid() -> None:
    with pytest.raises(ValueError, match="UID") as error:
        uid_hash(KEY, bytes.fromhex("04a2241b6c"))
    assert "04a2241b6c" not in str(error.value).lower()
