"""Our decoder of radar frames against an independent one, aio-ld2410, on fuzzed frames: a million in the long form."""

from random import Random
from typing import Any

import pytest
from aio_ld2410.protocol.frame import Frame as OtherFrame
from aio_ld2410.protocol.report import Report as OtherReport
from construct import ConstructError  # type: ignore[import-untyped]  # comes with aio-ld2410, without types

from edge.protocols.ld2410 import FrameError, FrameSplitter, decode_report
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.system.campaign.campaign import seed_to_use

FRAMES = 1_000_000 if CAMPAIGN_MINUTES else 20_000
HEAD, TAIL = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")

Fields = tuple[object, ...]


def drawn(random: Random) -> bytes:
    """Return a report frame as a module sends it, or one in which something was changed."""
    engineering = random.random() < 0.5
    body = bytes([random.randrange(4)]) + random.randbytes(8)
    if engineering:
        body += b"\x08\x08" + random.randbytes(18) + bytes([random.randrange(256), random.randrange(2)])
    payload = bytearray(bytes([0x01 if engineering else 0x02, 0xAA]) + body + b"\x55\x00")
    fault = random.random()
    if fault < 0.2:
        payload[random.randrange(len(payload))] = random.randrange(256)
    elif fault < 0.25:
        payload += random.randbytes(random.randrange(1, 20))
    elif fault < 0.3:
        del payload[random.randrange(len(payload)) :]
    frame = bytearray(HEAD + len(payload).to_bytes(2, "little") + payload + TAIL)
    if random.random() < 0.1:
        frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)
    return bytes(frame)


def ours(frame: bytes) -> Fields | None:
    """Return what our splitter and decoder make of a frame, None for noise."""
    found = FrameSplitter().feed(frame)
    if len(found) != 1 or found[0].kind != "report":
        return None
    try:
        report = decode_report(found[0].payload)
    except FrameError:
        return None
    gates = report.gates and (report.gates.moving_energy_pct, report.gates.static_energy_pct, report.gates.light)
    return (
        int(report.moving) + 2 * int(report.static),
        (report.moving_distance_cm, report.moving_energy_pct),
        (report.static_distance_cm, report.static_energy_pct),
        report.detection_distance_cm,
        gates,
    )


def theirs(frame: bytes) -> tuple[Any, int] | None:
    """Return the report as the other program reads it, and the length of its payload."""
    try:
        outer = OtherFrame.parse(frame)
        return OtherReport.parse(outer.data), len(outer.data)
    except (ConstructError, KeyError):
        return None


def fields_of(report: Any) -> Fields:  # noqa: ANN401  # construct has no types
    basic, more = report.data.basic, report.data.engineering
    gates = more and (tuple(more.moving_gate_energy), tuple(more.static_gate_energy), more.photosensitive_value)
    return (
        int(basic.target_status),
        (basic.moving_distance, basic.moving_energy),
        (basic.static_distance, basic.static_energy),
        basic.detection_distance,
        gates,
    )


def is_beyond_the_datasheet(report: Any, size: int) -> bool:  # noqa: ANN401  # construct has no types
    """Whether the other program is more lenient: unknown types and states, other gates, bytes behind the end."""
    if int(report.type) not in (1, 2) or int(report.data.basic.target_status) > 3:
        return True
    more = report.data.engineering
    if more is not None and (more.moving_max_distance_gate, more.static_max_distance_gate) != (8, 8):
        return True
    return size != (13 if more is None else 35)


@pytest.mark.timeout(3600)
def test_another_decoder_reads_the_same_in_any_frame_that_ours_takes() -> None:
    seed = seed_to_use()
    random, taken, refused = Random(seed), 0, 0
    for number in range(FRAMES):
        frame = drawn(random)
        mine, other = ours(frame), theirs(frame)
        told = f"TELECENTRE_SEED={seed} frame {number}: {frame.hex()}"
        if mine is not None:
            taken += 1
            assert other is not None, told
            assert mine == fields_of(other[0]), told
        else:
            refused += 1
            assert other is None or is_beyond_the_datasheet(*other), told
    print(f"{taken} of {FRAMES} frames were read alike, {refused} refused, seed {seed}")  # noqa: T201  # what was done
    assert min(taken, refused) > FRAMES / 10
