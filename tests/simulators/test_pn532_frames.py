import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import pn532_frames
from simulators.pn532_frames import FrameFinder, Signal, response_frame

VECTORS_FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS: list[dict[str, Any]] = tomllib.loads((VECTORS_FOLDER / "pn532.toml").read_text(encoding="utf-8"))["frame"]


def _host_frame(body: bytes) -> bytes:
    """A frame as the manual's figures draw it, put together another way than the simulator does."""
    full = b"\xd4" + body
    if len(full) < 256:
        head = [0x00, 0x00, 0xFF, len(full), (256 - len(full)) % 256]
    else:
        high, low = divmod(len(full), 256)
        head = [0x00, 0x00, 0xFF, 0xFF, 0xFF, high, low, (512 - high - low) % 256]
    total = 0
    for byte in full:
        total = (total + byte) % 256
    return bytes(head) + full + bytes([(256 - total) % 256, 0x00])


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["fields"]["from"] == "chip" and "code" in v["fields"]],
                         ids=lambda v: str(v["name"]))  # fmt: skip
def test_the_chip_says_the_frames_of_the_manual(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    assert response_frame(fields["code"], bytes.fromhex(fields["data"])).hex() == vector["hex"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["fields"]["from"] == "host" and "code" in v["fields"]],
                         ids=lambda v: str(v["name"]))  # fmt: skip
def test_the_chip_understands_the_frames_of_the_manual(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    command = bytes((fields["code"],)) + bytes.fromhex(fields["data"])
    assert FrameFinder().feed(bytes.fromhex(vector["hex"])) == [command]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "signal" in v["fields"]], ids=lambda v: str(v["name"]))
def test_frames_without_a_body_are_those_of_the_manual(vector: dict[str, Any]) -> None:
    assert getattr(pn532_frames, vector["fields"]["signal"].upper()).hex() == vector["hex"]


def test_an_ack_and_a_nack_are_signals() -> None:
    assert FrameFinder().feed(pn532_frames.ACK + pn532_frames.NACK) == [Signal.ACK, Signal.NACK]


@given(st.lists(st.binary(min_size=1, max_size=264), min_size=1, max_size=4), st.integers())
def test_frames_are_found_however_the_bytes_are_cut(bodies: list[bytes], seed: int) -> None:
    random = Random(seed)
    stream = b"".join(bytes(random.randrange(12)) + _host_frame(body) for body in bodies)
    finder, found = FrameFinder(), []
    while stream:
        cut = random.randint(1, 50)
        found += finder.feed(stream[:cut])
        stream = stream[cut:]
    assert found == bodies
    assert finder.noise == 0


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=20))
def test_after_any_noise_a_frame_is_found_once_a_longest_frame_has_passed(noise: bytes, body: bytes) -> None:
    finder = FrameFinder()
    finder.feed(noise)
    frame = _host_frame(body)
    # Noise may look like the beginning of a frame: the finder then waits for its end, and looks again inside it.
    found = finder.feed(frame * (300 // len(frame) + 2))
    assert found[-1] == body


@pytest.mark.parametrize("at", range(3, 10))
def test_a_damaged_frame_is_noise(at: int) -> None:
    frame = bytearray(_host_frame(b"\x02\x01\x02"))
    frame[at] ^= 0x01
    finder = FrameFinder()
    finder.feed(bytes(frame))
    assert finder.feed(bytes(300) + _host_frame(b"\x02"))[-1:] == [b"\x02"]
    assert b"\x02\x01\x02" not in finder.feed(b"")
    assert finder.noise > 0


def test_a_frame_from_a_chip_is_not_taken_from_a_host() -> None:
    assert FrameFinder().feed(response_frame(0x02, b"\x32\x01\x06\x07")) == []
