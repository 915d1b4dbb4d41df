"""The chip without a wire: bytes and moments in, bytes out."""

from random import Random

import pytest

from simulators.air import with_crc
from simulators.attackers import Relay
from simulators.cards import Card, Classic1k, IsoDepCard, Ntag21x, Phone
from simulators.iso_dep import ATS, IsoDep
from simulators.ntag424 import Ntag424
from simulators.pn532 import SPEEDS_BAUD, Pn532
from simulators.pn532_frames import ACK, ERROR, NACK, response_frame

WAKE_UP = bytes(10)
UID = bytes.fromhex("04a1b2c3d4e5f6")


def _frame(hexadecimal: str) -> bytes:
    body = b"\xd4" + bytes.fromhex(hexadecimal)
    return bytes((0, 0, 255, len(body), -len(body) & 255)) + body + bytes((-sum(body) & 255, 0))


class Host:
    """What a driver does, in a time of its own: write, wait until the chip has answered."""

    def __init__(self, chip: Pn532) -> None:
        self.chip = chip
        self.speed_baud = 115_200
        self.now_s = 1.0
        chip.power_on(self.now_s)

    def write(self, data: bytes) -> bytes:
        return self.chip.receive(data, self.speed_baud, self.now_s)

    def wait(self, at_most_s: float = 10.0) -> bytes:
        """What the chip says by itself, until it has said something."""
        end_s = self.now_s + at_most_s
        while (due_s := self.chip.due_s()) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            if said := self.chip.speak(self.now_s):
                return said
        self.now_s = end_s
        return b""

    def ask(self, hexadecimal: str) -> str:
        """The data of the chip's answer to a command, in hex."""
        said = self.write(_frame(hexadecimal)) or b""
        assert said.startswith(ACK), said.hex()
        said = said[len(ACK) :] or self.wait()
        code = int(hexadecimal[:2], 16)
        size = said[3]
        data = said[7 : 5 + size]
        assert said == response_frame(code, data)
        return data.hex()


@pytest.fixture
def chip() -> Pn532:
    return Pn532(Random(1))


@pytest.fixture
def host(chip: Pn532) -> Host:
    host = Host(chip)
    assert host.write(WAKE_UP + _frame("02"))
    # What nfcpy sets: no automatic RATS, one try for a passive target.
    assert host.ask("1200") == host.ask("3205010001") == ""
    return host


def test_a_sleeping_chip_hears_nothing_before_its_wake_up_bytes(chip: Pn532) -> None:
    host = Host(chip)
    assert host.write(_frame("02")) == b""
    assert host.write(WAKE_UP + _frame("02")) == ACK + response_frame(0x02, bytes.fromhex("32010607"))
    assert host.ask("02") == "32010607"


def test_wake_up_bytes_may_come_one_by_one(chip: Pn532) -> None:
    host = Host(chip)
    said = b"".join(host.write(bytes((byte,))) for byte in WAKE_UP + _frame("02"))
    assert said.startswith(ACK)


def test_after_power_down_it_must_be_woken_again(host: Host) -> None:
    assert host.ask("16b000") == "00"
    assert host.write(_frame("02")) == b""
    assert host.write(WAKE_UP + _frame("02")).startswith(ACK)


def test_the_line_test_returns_the_longest_frame_in_an_extended_one(host: Host) -> None:
    data = bytes(byte & 0xFF for byte in range(262))
    body = b"\xd4\x00\x00" + data
    said = host.write(b"\x00\x00\xff\xff\xff\x01\x09\xf6" + body + bytes((-sum(body) & 0xFF, 0)))
    assert said[:6] == ACK
    assert said[6:14].hex() == "0000ffffff0109f6"
    assert said[14:-2] == b"\xd5\x01\x00" + data


@pytest.mark.parametrize(
    "command", ["99", "0201", "3201", "3207ff", "10", "1009", "4a", "4a0300", "4a0109", "06", "0863", "42"]
)
def test_a_command_that_it_does_not_know_gets_the_error_frame(host: Host, command: str) -> None:
    assert host.write(_frame(command)) == ACK + ERROR
    assert host.ask("02") == "32010607"


def test_an_ack_aborts_the_command_underway(host: Host) -> None:
    assert host.write(_frame("4a0100")) == ACK
    host.write(ACK)
    assert host.wait() == b""
    assert host.ask("02") == "32010607"


def test_a_nack_has_the_last_response_said_again(host: Host) -> None:
    said = host.write(_frame("02"))
    assert host.write(NACK) == said[len(ACK) :]


def test_a_new_speed_counts_after_the_hosts_ack(host: Host) -> None:
    assert host.ask("1007") == ""
    assert host.chip.speed_baud == 115_200
    host.write(ACK)
    assert host.chip.speed_baud == 921_600
    assert host.write(_frame("02")) == b""
    host.speed_baud = 921_600
    assert host.ask("02") == "32010607"


def test_an_ack_that_comes_when_the_host_has_already_changed_speed_counts(host: Host) -> None:
    host.ask("1007")
    host.speed_baud = 921_600
    host.write(ACK)
    assert host.ask("02") == "32010607"


def test_a_frame_at_the_new_speed_says_as_much_as_a_lost_ack(host: Host) -> None:
    host.ask("1007")
    host.speed_baud = 921_600
    assert host.ask("02") == "32010607"
    host.speed_baud = 115_200
    assert host.write(_frame("02")) == b""


def test_a_chip_left_at_high_speed_is_silent_at_the_first_speed_until_its_power_is_cut(host: Host) -> None:
    host.ask("1007")
    host.write(ACK)
    assert host.write(ACK + WAKE_UP + _frame("02")) == b""
    host.chip.power_on(host.now_s)
    assert host.write(WAKE_UP + _frame("02")).startswith(ACK)


def test_a_chip_left_at_high_speed_is_found_by_trying_speeds(host: Host) -> None:
    host.ask("1007")
    host.write(ACK)
    answering = []
    for speed_baud in SPEEDS_BAUD:
        host.speed_baud = speed_baud
        if host.write(ACK + WAKE_UP + _frame("02")):
            answering.append(speed_baud)
            host.ask("1004")
            host.write(ACK)
            break
    assert answering == [921_600]
    host.speed_baud = 115_200
    assert host.ask("02") == "32010607"


def test_an_empty_field_is_seen_in_the_fifo(host: Host) -> None:
    assert host.ask("4a0100") == "00"
    assert host.ask("066339") == "26"


@pytest.mark.parametrize(
    ("card", "target"),
    [
        (Ntag21x(UID), "0101004400" + "07" + UID.hex()),
        (Classic1k(bytes.fromhex("deadbeef")), "0101000408" + "04deadbeef"),
        (IsoDepCard(UID, IsoDep(lambda apdu: apdu)), "0101034420" + "07" + UID.hex()),
    ],
    ids=["ntag", "classic", "iso-dep"],
)
def test_a_card_is_listed_by_what_its_anticollision_says(host: Host, card: Card, target: str) -> None:
    host.chip.present(card)
    assert host.ask("4a0100") == target


def test_a_card_is_found_by_its_uid_with_the_cascade_tag_and_another_is_not(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    assert host.ask("4a010088" + UID.hex()).endswith(UID.hex())
    assert host.ask("4a01008804000000000000") == "00"


def test_other_technologies_find_no_type_a_card(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    assert host.ask("4a010300") == "00"
    assert host.ask("4a010100ffff0100") == "00"


def test_with_automatic_rats_the_answer_to_select_comes_with_the_target(host: Host) -> None:
    host.chip.present(IsoDepCard(UID, IsoDep(lambda apdu: apdu)))
    assert host.ask("1210") == ""
    assert host.ask("4a0100").endswith(UID.hex() + ATS.hex())


def test_a_chip_told_to_try_for_ever_answers_when_a_card_comes(host: Host) -> None:
    host.ask("320500ffff")
    # MxRtyPassiveActivation is the last of the three.
    host.ask("32050001ff")
    host.write(_frame("4a0100"))
    assert host.wait(1.0) == b""
    host.chip.present(Ntag21x(UID))
    assert UID in host.wait(1.0)


def test_an_answer_that_comes_late_keeps_the_reader_waiting_and_one_that_is_too_late_is_lost(host: Host) -> None:
    card = Relay(Ntag424(UID, Random(1)), delay_s=0.02)
    host.chip.present(card)
    host.ask("4a0100")
    assert host.ask("42e080") == "00067777710280"
    host.ask("3202000b09")  # 25.6 ms, and an answer takes 20
    begun_s = host.now_s
    assert host.ask("420200a4040007d276000085010100") == "00029000"
    assert 0.02 < host.now_s - begun_s < 0.03
    host.ask("3202000b08")  # 12.8 ms
    assert host.ask("420300a4040007d276000085010100") == "01"


def test_a_relay_gains_time_as_a_slow_card_does(host: Host) -> None:
    host.chip.present(Relay(Ntag424(UID, Random(1)), delay_s=0.1))
    host.ask("4a0100")
    host.ask("42e080")
    host.ask("3202000b0a")  # 51.2 ms
    begun_s = host.now_s
    said = [host.ask("420200a4040007d276000085010100")]
    while said[-1] == "00f201":
        said.append(host.ask("42f201"))
    assert said == ["00f201"] * 3 + ["00029000"]
    assert host.now_s - begun_s > 0.1


def test_two_cards_can_be_listed_and_one_taken_away(host: Host) -> None:
    first, second = Ntag21x(UID), Classic1k(bytes.fromhex("deadbeef"))
    host.chip.present(first)
    host.chip.present(second)
    assert host.ask("4a0200").startswith("02")
    host.chip.remove(first)
    assert host.chip.cards == (second,)
    assert host.ask("4a0200") == "010100040804deadbeef"


def test_switching_the_field_off_resets_the_card_and_shows_in_the_register(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    host.ask("4a0100")
    assert int(host.ask("066304"), 16) & 3 == 3
    assert host.ask("4260").startswith("00")
    host.ask("320102")
    assert int(host.ask("066304"), 16) & 3 == 0
    host.ask("320101")
    assert host.ask("4260") == "01"
    host.ask("4a0100")
    assert host.ask("4260").startswith("00")


def test_a_phone_shows_another_uid_in_each_field(host: Host) -> None:
    host.chip.present(Phone(Random(3)))
    seen = set()
    for _ in range(3):
        seen.add(host.ask("4a0100"))
        host.ask("320102")
    assert len(seen) == 3
    assert all(target.startswith("010100046004" + "08") for target in seen)


def test_a_card_taken_away_between_two_exchanges_is_a_timeout(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    host.ask("4a0100")
    assert host.ask("423000").startswith("00")
    host.chip.remove()
    assert host.ask("423000") == "01"


def test_a_silent_card_costs_the_timeout_that_was_set(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    host.ask("4a0100")
    host.chip.remove()
    for index, timeout_s in ((0x0A, 0.0512), (0x0C, 0.2048)):
        host.ask(f"32020a0b{index:02x}")
        begun_s = host.now_s
        assert host.ask("423000") == "01"
        assert host.now_s - begun_s == pytest.approx(timeout_s, abs=0.002)


def test_without_the_chips_crc_the_cards_crc_reaches_the_host_and_a_nak_can_be_read(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    host.ask("4a0100")
    version = bytes.fromhex("0004040201000f03")
    assert host.ask("4260") == "00" + version.hex()
    mode = int(host.ask("066303"), 16)
    host.ask(f"086303{mode & 0x7F:02x}")
    assert host.ask("4260") == "00" + with_crc(version).hex()
    assert host.ask("421a00") == "0000"


def test_with_the_chips_crc_a_nak_is_a_crc_error(host: Host) -> None:
    host.chip.present(Ntag21x(UID))
    host.ask("4a0100")
    assert host.ask("421a00") == "02"


def test_noise_between_frames_is_skipped(host: Host) -> None:
    assert host.write(b"\x31\x55\xaa" + _frame("02")).startswith(ACK)
