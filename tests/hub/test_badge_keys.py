import tomllib
from pathlib import Path
from typing import Any

import pytest

from hub.badge_keys import badge_key, diversify

VECTORS: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (Path(__file__).parents[1] / "vectors" / "aes.toml").read_text(encoding="utf-8")
)
MASTER = bytes(range(16))


@pytest.mark.parametrize("vector", VECTORS["diversified"], ids=lambda vector: vector["name"])
def test_a_diversified_key_is_the_published_one(vector: dict[str, Any]) -> None:
    assert diversify(bytes.fromhex(vector["master"]), bytes.fromhex(vector["input"])).hex() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["badge"], ids=lambda vector: vector["name"])
def test_a_badge_has_the_key_that_openssl_derives(vector: dict[str, Any]) -> None:
    master, badge = bytes.fromhex(vector["master"]), bytes.fromhex(vector["badge_id"])
    assert badge_key(master, badge, vector["network"]).hex() == vector["key"]


@pytest.mark.parametrize("length", [0, 15, 32])
def test_an_input_that_would_be_padded_otherwise_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="16 to 31 bytes"):
        diversify(MASTER, bytes(length))


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_key_or_an_id_of_another_length_is_refused_without_showing_it(length: int) -> None:
    secret = b"\xa5" * length
    with pytest.raises(ValueError, match="master key has 16 bytes") as refused:
        diversify(secret, bytes(16))
    with pytest.raises(ValueError, match="badge id has 16 bytes"):
        badge_key(MASTER, secret, "cantal")
    assert "a5" not in str(refused.value)
