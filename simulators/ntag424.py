"""An NTAG 424 DNA: one application with three files and five AES keys, behind ISO-DEP.

It comes as it leaves the factory; `personalised` gives a badge of docs/badges.md. Secure dynamic messaging, LRP and
originality keys are not simulated. Source: NXP NT4H2421Gx (NTAG 424 DNA data sheet, rev. 3.0), 8 and 10.
"""

from copy import deepcopy
from random import Random

from simulators.apdu import Apdu, apdu_of
from simulators.cards import IsoDepCard
from simulators.ev2 import Mode
from simulators.ev2_application import Application
from simulators.ev2_memory import FREE, File, Key, Status
from simulators.iso_dep import DONE, FILE_NOT_FOUND, UNKNOWN_INSTRUCTION, WRONG_LENGTH, IsoDep

ATS = bytes.fromhex("067777710280")
"""Frames to the card up to 128 bytes (FSCI 7), 38.7 ms to answer (FWI 7), CID but no NAD, one historical byte."""
UID_BYTES = 7

PICC_NAME = bytes.fromhex("d2760000850100")
APPLICATION_NAME = bytes.fromhex("d2760000850101")
PICC_ID, APPLICATION_ID = bytes.fromhex("3f00"), bytes.fromhex("e110")

CONTAINER = bytes.fromhex("001720010000ff0406e104010000000506e10500808283").ljust(32, b"\x00")
"""The capability container as delivered: an NDEF file of 256 bytes, and a proprietary one of 128 with rights."""

BADGE_FILE, BADGE_KEY_VERSION = 3, 1
BADGE_MARK = b"TCB1"
"""What the badge file begins with. Source: docs/badges.md."""

_WRONG_CLASS = b"\x6e\x00"
_WRONG_PARAMETERS = b"\x6a\x86"
_NOT_ALLOWED = b"\x69\x82"
_NO_FILE_SELECTED = b"\x69\x85"


def factory_application(random: Random, uid: bytes) -> Application:
    """Return keys and files at delivery (8.2.3, 8.2.4): zero keys, file 2 open to all, file 3 to keys 2 and 3."""
    files = {
        1: File(bytearray(CONTAINER), Mode.PLAIN, FREE, 0, 0, 0, b"\xe1\x03"),
        2: File(bytearray(256), Mode.PLAIN, FREE, FREE, FREE, 0, b"\xe1\x04"),
        3: File(bytearray(b"\x00\x7e".ljust(128, b"\x00")), Mode.FULL, 2, 3, 3, 0, b"\xe1\x05"),
    }
    # Hardware and software of an NT4H2421Gx, then UID, batch, week 20 of 2024 (10.5.2).
    version = bytes.fromhex("04040230001105"), bytes.fromhex("04040201021105"), uid + bytes.fromhex("cf39d449801424")
    return Application(random, uid, version, [Key() for _ in range(5)], files)


class Ntag424Applet:
    """The card's commands: ISO 7816-4 with class 00, NXP's own with class 90."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._in_application = False
        self._file: File | None = None

    def reset(self) -> None:
        """Lose power: the PICC level is selected, nobody is authenticated."""
        self.application.reset()
        self._in_application = False
        self._file = None

    def __call__(self, command: bytes) -> bytes:
        """Return the response to a command APDU."""
        apdu = apdu_of(command[1:])
        if command[:1] == b"\x90":
            return self._native(apdu)
        if command[:1] != b"\x00":
            return _WRONG_CLASS
        if apdu is None:
            return WRONG_LENGTH
        return self._standard(apdu)

    def _native(self, apdu: Apdu | None) -> bytes:
        if apdu is None or apdu.wanted != 256:
            return bytes((0x91, Status.LENGTH))
        if apdu.parameters != b"\x00\x00":
            return bytes((0x91, Status.PARAMETER))
        # At PICC level there are no files and, but for the originality keys, no keys.
        if not self._in_application and apdu.code not in (0x60, 0xAF):
            return bytes((0x91, Status.PERMISSION_DENIED))
        return self.application.answer(apdu.code, apdu.data)

    def _standard(self, apdu: Apdu) -> bytes:
        if apdu.code not in (0xA4, 0xB0, 0xD6):
            return UNKNOWN_INSTRUCTION
        if self.application.is_busy:
            self.application.reset()
            return _NO_FILE_SELECTED
        if apdu.code == 0xA4:
            return self._select(apdu)
        return self._read(apdu) if apdu.code == 0xB0 else self._update(apdu)

    def _select(self, apdu: Apdu) -> bytes:
        control, option = apdu.parameters
        if control not in (0x00, 0x01, 0x02, 0x04) or option not in (0x00, 0x0C):
            return _WRONG_PARAMETERS
        by_name = control == 0x04
        if apdu.data in ((PICC_NAME,) if by_name else (b"", PICC_ID)):
            self.reset()
            return DONE
        if apdu.data == (APPLICATION_NAME if by_name else APPLICATION_ID):
            self.application.reset()
            self._in_application, self._file = True, None
            return DONE
        found = None if by_name or not self._in_application else self._named(apdu.data)
        if found is None:
            return FILE_NOT_FOUND
        self._file = found
        return DONE

    def _named(self, iso_id: bytes) -> File | None:
        return next((file for file in self.application.files.values() if file.iso_id == iso_id), None)

    def _target(self, apdu: Apdu) -> tuple[File | None, int]:
        """Return the file and the offset that P1 and P2 mean (table 87)."""
        first, second = apdu.parameters
        if not first & 0x80:
            return self._file, first << 8 | second
        if first & 0x1F and self._in_application:
            # A short id is the low end of a file's id.
            self._file = self._named(bytes((0xE1, first & 0x1F)))
        return self._file, second

    def _read(self, apdu: Apdu) -> bytes:
        if apdu.wanted is None or apdu.data:
            return WRONG_LENGTH
        file, start = self._target(apdu)
        if file is None:
            return _NO_FILE_SELECTED
        if FREE not in (file.read, file.read_write):
            return _NOT_ALLOWED
        if start >= len(file.content):
            return _WRONG_PARAMETERS
        return bytes(file.content[start : start + apdu.wanted]) + DONE

    def _update(self, apdu: Apdu) -> bytes:
        file, start = self._target(apdu)
        if file is None:
            return _NO_FILE_SELECTED
        if FREE not in (file.write, file.read_write):
            return _NOT_ALLOWED
        if not apdu.data or start + len(apdu.data) > len(file.content):
            return WRONG_LENGTH
        file.content[start : start + len(apdu.data)] = apdu.data
        return DONE


class Ntag424(IsoDepCard):
    """The whole card. `random` draws its challenges; `extensions` and `ats` are as in `IsoDep`."""

    def __init__(self, uid: bytes, random: Random, *, ats: bytes = ATS, extensions: int = 0) -> None:
        if len(uid) != UID_BYTES:
            raise ValueError("the UID of an NTAG 424 DNA has 7 bytes")
        self.application = factory_application(random, uid)
        self.applet = Ntag424Applet(self.application)
        self.ats = ats
        super().__init__(uid, IsoDep(self.applet, ats=ats, extensions=extensions, forget=self.applet.reset))

    def personalise(self, badge_id: bytes, key: bytes) -> None:
        """Be a badge, as an enrolment leaves it: file 3 says who, key 0 proves it, nobody else writes."""
        files = self.application.files
        write_badge(files[BADGE_FILE], badge_id)
        files[2].read_write = files[2].write = 0
        self.application.keys[0].change(key, BADGE_KEY_VERSION)

    def twin(self, random: Random, key: bytes) -> "Ntag424":
        """Return another card with the same UID, ATS and files, but with `key`."""
        twin = Ntag424(self.anticollision.uid, random, ats=self.ats)
        twin.application.files = deepcopy(self.application.files)
        twin.application.keys[0].change(key, self.application.keys[0].version)
        return twin


def write_badge(file: File, badge_id: bytes) -> None:
    """Write a badge's name and let everybody read it, and only key 0 change it. Source: docs/badges.md."""
    content = BADGE_MARK + badge_id
    if len(badge_id) != 16:
        raise ValueError("a badge_id has 16 bytes")
    file.content[: len(content)] = content
    file.mode, file.read = Mode.FULL, FREE
    file.write = file.read_write = file.change = 0
