"""The unmodified nfcpy against the simulated reader, through a real pseudo-terminal."""

import contextlib
import errno
from random import Random
from typing import Any

import nfc
import nfc.tag
import pytest
from nfc.clf import RemoteTarget, pn532

from simulators.cards import Card, Classic1k, IsoDepCard, Ntag21x, Phone
from simulators.iso_dep import DONE, IsoDep, NdefApplet
from simulators.pn532 import Pn532
from simulators.wire import NO_FAULTS, Faults
from tests.support.bench import FOUR_WIRES, Bench
from tests.support.nfcpy import LOST, activated, drop, open_reader, opened

UID = bytes.fromhex("04a1b2c3d4e5f6")
pytestmark = pytest.mark.usefixtures("quiet_nfcpy")


@pytest.mark.parametrize("name", ["whole", "byte-at-a-time", "delayed"])
def test_a_badge_is_opened_sensed_activated_and_released(bench: Bench, chip: Pn532, name: str) -> None:
    port = bench.wire(chip, FOUR_WIRES[name])
    with opened(port) as frontend:
        assert chip.speed_baud == 921_600
        assert frontend.sense(RemoteTarget("106A")) is None
        bench.call(chip.present, Ntag21x(UID))
        tag = activated(frontend)
        assert tag.identifier == UID
        assert tag.product == "NXP NTAG213"
        assert tag.is_present
        bench.call(chip.remove)
        assert not tag.is_present
    assert chip.speed_baud == 115_200
    assert chip.unknown_commands == 0


def test_on_a_lossy_wire_exchanges_fail_and_later_ones_work(bench: Bench, chip: Pn532) -> None:
    port = bench.wire(chip, FOUR_WIRES["lossy"], seed=3)
    bench.call(chip.present, Ntag21x(UID))
    seen = failures = 0
    while seen < 20:
        bench.power_cycle(port)
        try:
            with opened(port, patience=1) as frontend:
                for _ in range(5):
                    target = frontend.sense(RemoteTarget("106A"))
                    seen += target is not None and target.sdd_res == UID
        except LOST:
            failures += 1
            assert failures < 60
    assert failures > 0


def test_sixty_times_opened_and_closed_it_answers_every_time(bench: Bench, chip: Pn532) -> None:
    port = bench.wire(chip)
    bench.call(chip.present, Ntag21x(UID))
    for _ in range(60):
        with opened(port) as frontend:
            assert frontend.sense(RemoteTarget("106A")).sdd_res == UID


@pytest.mark.parametrize(
    ("card", "sak"),
    [
        (Classic1k(bytes.fromhex("deadbeef")), 0x08),
        (Classic1k(UID), 0x08),
        (Phone(Random(1)), 0x60),
        (Phone(Random(1), 0x20), 0x20),
    ],
    ids=["classic-4", "classic-7", "phone", "phone-20"],
)
def test_other_cards_are_seen_for_what_they_are(bench: Bench, chip: Pn532, card: Card, sak: int) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, card)
        target = frontend.sense(RemoteTarget("106A"))
        assert target.sel_res[0] == sak
        assert (target.sdd_res[0] == 0x08) == isinstance(card, Phone)
        assert nfc.tag.activate(frontend, target) is not None


@pytest.mark.parametrize("model", ["213", "215", "216"])
def test_an_ntag_is_recognised_by_its_version(bench: Bench, chip: Pn532, model: str) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, Ntag21x(UID, model))
        tag = activated(frontend)
        assert tag.product == f"NXP NTAG{model}"
        assert tag.ndef is not None
        assert tag.ndef.octets == b""


def test_all_technologies_can_be_sensed_together(bench: Bench, chip: Pn532) -> None:
    with opened(bench.wire(chip)) as frontend:
        targets = [RemoteTarget(brty) for brty in ("106A", "106B", "212F")]
        assert frontend.sense(*targets) is None
        bench.call(chip.present, Ntag21x(UID))
        assert frontend.sense(*targets).sdd_res == UID


def test_a_type_4_card_speaks_iso_dep_with_chaining_both_ways_and_asks_for_time(bench: Bench, chip: Pn532) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, IsoDepCard(UID, IsoDep(lambda apdu: apdu[:4] + apdu + DONE, extensions=1)))
        tag = activated(frontend)
        said = bytes(range(250))
        assert tag.send_apdu(0x80, 0x01, 0x02, 0x03, said) == bytes((0x80, 1, 2, 3, 0x80, 1, 2, 3, 250)) + said
        # nfcpy collects chained answers and sends chained commands: 512 bytes of them each way.
        assert tag.transceive(bytes(2) + bytes(range(256)) * 2)[4:-2] == bytes(2) + bytes(range(256)) * 2
        assert tag.is_present


def test_an_ndef_message_is_read_from_a_type_4_card(bench: Bench, chip: Pn532) -> None:
    message = bytes.fromhex("d1010c5504") + b"example.org"
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, IsoDepCard(UID, IsoDep(NdefApplet(message))))
        assert activated(frontend).ndef.octets == message


def test_a_card_pulled_in_the_middle_of_an_exchange_is_a_timeout_and_the_next_card_works(
    bench: Bench, chip: Pn532
) -> None:
    calls: list[bytes] = []

    def pulled(apdu: bytes) -> bytes:
        calls.append(apdu)
        chip.remove()
        return DONE

    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, IsoDepCard(UID, IsoDep(pulled, extensions=1)))
        tag = activated(frontend)
        # The card asked for time first, and what follows is no Type4TagCommandError in nfcpy.
        with pytest.raises(nfc.clf.TimeoutError):
            tag.send_apdu(0, 0xA4, 4, 0)
        assert len(calls) == 1
        bench.call(chip.present, Ntag21x(UID))
        assert activated(frontend).identifier == UID


def test_a_command_that_the_chip_does_not_know_is_an_error_and_the_next_one_works(bench: Bench, chip: Pn532) -> None:
    with opened(bench.wire(chip)) as frontend:
        with pytest.raises(pn532.Chipset.Error):
            frontend.device.chipset.command(0x60, b"", timeout=0.5)
        assert frontend.sense(RemoteTarget("106A")) is None


@pytest.mark.parametrize("while_reading", [True, False], ids=["silent", "between"])
def test_unplugged_it_fails_and_replugged_it_opens_again(bench: Bench, chip: Pn532, while_reading: bool) -> None:
    port = bench.wire(chip)
    bench.call(chip.present, Ntag21x(UID))
    for _ in range(5):
        frontend = open_reader(port)
        assert frontend.sense(RemoteTarget("106A")).sdd_res == UID
        if while_reading:
            bench.set_faults(port, Faults(delay_s=0.02))
            bench.unplug_after(port, 0.01)
            with pytest.raises(LOST):
                frontend.sense(RemoteTarget("106A"))
            bench.set_faults(port, NO_FAULTS)
        else:
            bench.unplug(port)
            with pytest.raises(LOST):
                frontend.sense(RemoteTarget("106A"))
        drop(frontend)
        with pytest.raises(OSError, match="No such file"):
            open_reader(port)
        bench.plug(port)
    with opened(port) as frontend:
        assert frontend.sense(RemoteTarget("106A")).sdd_res == UID


def test_a_chip_left_at_high_speed_stays_silent_until_its_power_is_cut(bench: Bench, chip: Pn532) -> None:
    port = bench.wire(chip)
    frontend = open_reader(port)
    drop(frontend)  # what kill -9 does: the port closes, nothing is said to the chip
    with pytest.raises(OSError, match=r".*") as lost:
        open_reader(port)
    assert lost.value.errno == errno.ETIMEDOUT
    bench.power_cycle(port)
    with opened(port):
        assert chip.speed_baud == 921_600


def test_noise_on_the_wire_fails_one_exchange_at_most(bench: Bench, chip: Pn532) -> None:
    port = bench.wire(chip)
    bench.call(chip.present, Ntag21x(UID))
    with opened(port) as frontend:
        bench.set_faults(port, Faults(garbage=1.0))
        with pytest.raises(LOST):
            _sense_ten_times(frontend)
        bench.set_faults(port, NO_FAULTS)
        with contextlib.suppress(*LOST):
            frontend.sense(RemoteTarget("106A"))
        assert frontend.sense(RemoteTarget("106A")).sdd_res == UID


def _sense_ten_times(frontend: Any) -> None:  # noqa: ANN401
    for _ in range(10):
        frontend.sense(RemoteTarget("106A"))
