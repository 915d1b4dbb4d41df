"""A thousand tries of each attacker: none proves what it does not know. Before nfcpy: test_secured_cards.py."""

from collections import Counter
from random import Random

import pytest

from simulators.attackers import Bluff, Recorder, Relay, Replayer, copy_of, uid_copy_of
from simulators.cards import Card, Phone
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from tests.support.block_reader import BlockReader, blocks_of
from tests.support.ev2_reader import DESFIRE, NTAG, Reader

TRIES = 1_000
UID = bytes.fromhex("04a1b2c3d4e5f6")


def _badges(seed: int) -> tuple[bytes, Ntag424, Desfire]:
    """Return a key and two badges that have it."""
    random = Random(seed)
    key, name = random.randbytes(16), random.randbytes(16)
    ntag, desfire = Ntag424(UID, random), Desfire(UID, random)
    ntag.personalise(name, key)
    desfire.personalise(name, key)
    return key, ntag, desfire


def _proven(card: Card, key: bytes, seed: int) -> str:
    """What a door finds out, block by block."""
    reader = Reader(BlockReader(blocks_of(card)).apdu, Random(f"reader/{seed}"))
    assert reader.badge_id(NTAG) or reader.badge_id(DESFIRE)
    return reader.authenticate(key)


@pytest.mark.parametrize("kind", ["ntag", "desfire"])
def test_no_copy_and_no_card_with_an_old_key_proves_itself(kind: str) -> None:
    outcomes = Counter[str]()
    for seed in range(TRIES):
        key, ntag, desfire = _badges(seed)
        copy = copy_of(ntag if kind == "ntag" else desfire, Random(f"thief/{seed}"))
        outcomes[_proven(copy, key, seed)] += 1
    assert outcomes == {"ae": TRIES}


@pytest.mark.parametrize("answer", ["random", "echo"])
def test_no_bluff_is_believed(answer: str) -> None:
    key, ntag, _ = _badges(1)
    bluff = Bluff(ntag, Random(1), "echo" if answer == "echo" else "random")
    assert Counter(_proven(bluff, key, seed) for seed in range(TRIES // 20)) == {"liar": TRIES // 20}


def test_no_recording_is_believed() -> None:
    key, ntag, _ = _badges(1)
    recorder = Recorder(ntag)
    assert _proven(recorder, key, seed=-1) == "00"
    replayer = recorder.replayer()
    assert Counter(_proven(replayer, key, seed) for seed in range(TRIES)) == {"liar": TRIES}
    # The recording is faithful: a reader that drew the same number again would be fooled.
    assert _proven(replayer, key, seed=-1) == "00"


def test_a_recording_that_ends_early_is_silent() -> None:
    replayer = Replayer(_badges(1)[1].anticollision, ((b"\x01", b"\x02"), (b"\x03", None)))
    replayer.select()
    assert [replayer.exchange(b"\x09"), replayer.exchange(b"\x03"), replayer.exchange(b"\x01")] == [b"\x02", None, None]
    replayer.reset()
    assert replayer.exchange(b"\x01") == b"\x02"


def test_a_relay_proves_itself_however_slow_it_is() -> None:
    key, ntag, _ = _badges(1)
    for delay_s in (0.0, 0.01, 0.03, 0.5):
        assert _proven(Relay(ntag, delay_s), key, 0) == "00"


def test_a_relay_passes_on_that_the_badge_far_away_asks_for_time() -> None:
    slow = Ntag424(UID, Random(1), extensions=2)
    slow.personalise(bytes(16), bytes(16))
    assert _proven(Relay(slow, 0.1), bytes(16), 0) == "00"


def test_only_a_number_of_seven_bytes_is_copied_to_a_plain_tag() -> None:
    assert uid_copy_of(_badges(1)[1]).anticollision.uid == UID
    with pytest.raises(ValueError, match="7 bytes"):
        uid_copy_of(Phone(Random(1)))
