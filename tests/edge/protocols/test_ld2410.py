import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aio_ld2410.protocol import report as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.protocols.ld2410 import (
    ENABLE_CONFIG,
    MAX_FRAME_BYTES,
    READ_FIRMWARE,
    Frame,
    FrameError,
    FrameSplitter,
    decode_firmware,
    decode_reply,
    decode_report,
    encode_command,
)

VECTORS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors" / "ld2410.toml").read_text(encoding="utf-8")
)["frame"]
REPORTS = [vector for vector in VECTORS if vector["fields"]["kind"] == "report"]
REPLIES = [vector for vector in VECTORS if vector["fields"]["kind"] == "reply"]
COMMANDS = [vector for vector in VECTORS if vector["fields"]["kind"] == "command"]
WHOLE = bytes.fromhex(REPORTS[0]["hex"])


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def split(*chunks: bytes) -> tuple[list[Frame], int]:
    splitter = FrameSplitter()
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    return frames, splitter.noise_count


def frames_by_regex(data: bytes) -> list[Frame]:
    """The oracle: one alternative for each kind and length, leftmost first, over the whole stream at once."""
    kinds = {"report": ("f4f3f2f1", "f8f7f6f5"), "reply": ("fdfcfbfa", "04030201")}
    alternatives = [
        re.escape(bytes.fromhex(head) + bytes([size, 0])) + b"(.{%d})" % size + re.escape(bytes.fromhex(foot))
        for head, foot in kinds.values()
        for size in range(MAX_FRAME_BYTES - 10 + 1)
    ]
    found: list[Frame] = []
    for match in re.finditer(b"|".join(alternatives), data, re.DOTALL):
        kind = "report" if match.group().startswith(b"\xf4") else "reply"
        found.append(Frame(kind, match.group()[6:-4]))  # type: ignore[arg-type]  # one of the two words above
    return found


@pytest.mark.parametrize("vector", REPORTS, ids=name_of)
def test_a_published_report_decodes_to_its_published_fields(vector: dict[str, Any]) -> None:
    (frame,), noise_count = split(bytes.fromhex(vector["hex"]))
    report, fields = decode_report(frame.payload), vector["fields"]
    assert (frame.kind, noise_count) == ("report", 0)
    assert report.present == (fields["state"] != 0)
    assert int(report.moving) + 2 * int(report.static) == fields["state"]
    assert (report.moving_distance_cm, report.moving_energy_pct) == (fields["moving_cm"], fields["moving_energy"])
    assert (report.static_distance_cm, report.static_energy_pct) == (fields["static_cm"], fields["static_energy"])
    assert report.detection_distance_cm == fields["detection_cm"]
    if fields["engineering"]:
        assert report.gates is not None
        assert list(report.gates.moving_energy_pct) == fields["moving_energies"]
        assert list(report.gates.static_energy_pct) == fields["static_energies"]
        assert (report.gates.light, report.gates.out_high) == (fields["light"], fields["out"] == 1)
    else:
        assert report.gates is None


@pytest.mark.parametrize("vector", REPLIES, ids=name_of)
def test_a_published_reply_decodes_to_its_published_fields(vector: dict[str, Any]) -> None:
    (frame,), _ = split(bytes.fromhex(vector["hex"]))
    reply, fields = decode_reply(frame.payload), vector["fields"]
    assert (reply.command, reply.succeeded) == (fields["code"], fields["status"] == 0)
    assert reply.value == bytes.fromhex(fields["value"])


@pytest.mark.parametrize("vector", COMMANDS, ids=name_of)
def test_a_command_is_encoded_to_its_published_bytes(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    assert encode_command(fields["code"], bytes.fromhex(fields["value"])) == bytes.fromhex(vector["hex"])


def test_the_firmware_is_named_as_its_maker_names_it() -> None:
    vector = next(vector for vector in REPLIES if vector["fields"]["code"] == READ_FIRMWARE)
    assert "V" + decode_firmware(bytes.fromhex(vector["fields"]["value"])) == vector["meaning"]


@given(
    state=st.integers(0, 3),
    distances=st.tuples(*[st.integers(0, 0xFFFF)] * 3),
    energies=st.tuples(*[st.integers(0, 100)] * 2),
    gates=st.none() | st.tuples(st.binary(min_size=18, max_size=18), st.integers(0, 255), st.integers(0, 1)),
)
@settings(max_examples=60, deadline=None)
def test_reports_are_read_as_another_decoder_reads_them(
    state: int,
    distances: tuple[int, int, int],
    energies: tuple[int, int],
    gates: tuple[bytes, int, int] | None,
) -> None:
    moving, static, detection = (distance.to_bytes(2, "little") for distance in distances)
    body = bytes([state]) + moving + bytes([energies[0]]) + static + bytes([energies[1]]) + detection
    if gates is not None:
        body += b"\x08\x08" + gates[0] + bytes([gates[1], gates[2]])
    payload = bytes([0x02 if gates is None else 0x01, 0xAA]) + body + b"\x55\x00"
    mine, other = decode_report(payload), oracle.Report.parse(payload).data
    assert mine.moving_distance_cm == other.basic.moving_distance
    assert mine.moving_energy_pct == other.basic.moving_energy
    assert mine.static_distance_cm == other.basic.static_distance
    assert mine.static_energy_pct == other.basic.static_energy
    assert mine.detection_distance_cm == other.basic.detection_distance
    assert mine.present == (int(other.basic.target_status) != 0)
    if gates is not None:
        assert mine.gates is not None
        assert list(mine.gates.moving_energy_pct) == list(other.engineering.moving_gate_energy)
        assert list(mine.gates.static_energy_pct) == list(other.engineering.static_gate_energy)
        assert mine.gates.light == other.engineering.photosensitive_value


def pieces() -> st.SearchStrategy[bytes]:
    """Whole frames, cut ones, and bytes that look like frames."""
    whole = st.sampled_from([bytes.fromhex(vector["hex"]) for vector in VECTORS])
    cut = st.tuples(whole, st.integers(0, 45)).map(lambda pair: pair[0][: pair[1]])
    marks = st.sampled_from([bytes.fromhex(mark) for mark in ("f4f3f2f1", "f8f7f6f5", "fdfcfbfa", "04030201", "f4f3")])
    return st.lists(whole | cut | marks | st.binary(max_size=20), max_size=12).map(b"".join)


@given(data=pieces(), cuts=st.lists(st.integers(0, 400), max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_bytes_in_any_chunks_give_the_same_frames_and_the_same_noise(data: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(bounds)]
    assert split(*chunks) == split(data)


@given(data=pieces())
@settings(max_examples=200, deadline=None)
def test_every_frame_in_any_bytes_is_found_and_nothing_else(data: bytes) -> None:
    padding = bytes(MAX_FRAME_BYTES)
    frames, _ = split(data, padding)
    assert frames == frames_by_regex(data + padding)


def test_a_run_of_noise_counts_once_and_the_next_frame_is_found() -> None:
    frames, noise_count = split(b"\x00" * 500, WHOLE, b"\xff\xf4", WHOLE, WHOLE)
    assert (len(frames), noise_count) == (3, 2)


def test_a_length_that_no_frame_has_is_not_waited_for() -> None:
    frames, noise_count = split(bytes.fromhex("f4f3f2f1ffff"), WHOLE)
    assert (len(frames), noise_count) == (1, 1)


def test_less_than_a_frame_is_kept_of_endless_noise() -> None:
    splitter = FrameSplitter()
    for _ in range(100):
        splitter.feed(bytes.fromhex("f4f3f2f13600") * 50)
    assert len(splitter.feed(bytes(MAX_FRAME_BYTES) + WHOLE)) == 1


@pytest.mark.parametrize(
    "payload",
    ["", "02", "02aa", "02ab0000000000000000005500", "02aa0000000000000000005400", "02aa0400000000000000005500",
     "03aa0000000000000000005500", "01aa0000000000000000005500", "02aa00000000000000000055"],
)  # fmt: skip
def test_a_payload_that_the_datasheet_does_not_define_is_refused(payload: str) -> None:
    with pytest.raises(FrameError):
        decode_report(bytes.fromhex(payload))


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_payload_breaks_the_decoders(payload: bytes) -> None:
    for decode in (decode_report, decode_reply, decode_firmware):
        try:
            decode(payload)
        except FrameError:
            continue


def test_configuration_is_asked_for_with_the_value_of_the_datasheet() -> None:
    assert encode_command(ENABLE_CONFIG, b"\x01\x00").hex() == "fdfcfbfa0400ff00010004030201"
