"""A MIFARE DESFire EV2 or EV3 as far as a reader of badges needs it: one application with AES keys and one file.

It arrives personalised, as docs/badges.md says. Creating applications and files is the card supplier's work and is not
simulated. Sources: NXP MF3D(H)x2 and MF3D(H)x3 short data sheets (wrapped commands, GetVersion), NXP AN10833 (SAK,
ATQA) and, for the commands inside an application, those of `ev2_application`.
"""

from copy import deepcopy
from random import Random
from typing import ClassVar, Literal

from simulators.apdu import Apdu, apdu_of
from simulators.cards import IsoDepCard
from simulators.ev2 import Mode
from simulators.ev2_application import Application
from simulators.ev2_memory import File, Key, Status
from simulators.iso_dep import FILE_NOT_FOUND, UNKNOWN_INSTRUCTION, WRONG_LENGTH, IsoDep
from simulators.ntag424 import BADGE_FILE, BADGE_KEY_VERSION, UID_BYTES, write_badge

ATS = bytes.fromhex("067577810280")
"""Frames to the card up to 64 bytes (FSCI 5), 77.3 ms to answer (FWI 8), CID but no NAD, one historical byte."""

BADGE_AID = bytes.fromhex("34fa3a")
"""Our application, as on the wire: least significant byte first. Source: docs/badges.md."""
PICC_AID = bytes(3)
BADGE_FILE_BYTES = 32

Model = Literal["EV2", "EV3"]


class DesfireApplet:
    """The card's commands: native ones in class 90; of ISO 7816-4, the refusal of a DF name that is not there."""

    _VERSIONS: ClassVar[dict[Model, tuple[str, str]]] = {
        "EV2": ("04010112001605", "04010102011605"),
        "EV3": ("04010133001605", "04010103001605"),
    }
    """Hardware and software of a 2-KB card."""

    def __init__(self, uid: bytes, random: Random, model: Model = "EV2") -> None:
        hardware, software = (bytes.fromhex(part) for part in self._VERSIONS[model])
        self._version = hardware, software, uid + bytes.fromhex("ba54a8d2301424")
        # The card's own key is its supplier's secret.
        self._picc = Application(random, uid, self._version, [Key(random.randbytes(16))], {})
        self.applications: dict[bytes, Application] = {}
        self._selected = self._picc
        self._random = random
        self._uid = uid

    def install(self, aid: bytes, keys: list[Key], files: dict[int, File]) -> Application:
        """Put an application on the card, as its supplier does, and return it."""
        application = Application(self._random, self._uid, self._version, keys, files)
        self.applications[aid] = application
        return application

    def reset(self) -> None:
        """Lose power: the PICC level is selected."""
        self._selected.reset()
        self._selected = self._picc

    def __call__(self, command: bytes) -> bytes:
        """Return the response to a command APDU."""
        apdu = apdu_of(command[1:])
        if command[:1] == b"\x90":
            return self._native(apdu)
        if command[:1] != b"\x00":
            return b"\x6e\x00"
        if apdu is None:
            return WRONG_LENGTH
        return FILE_NOT_FOUND if apdu.code == 0xA4 else UNKNOWN_INSTRUCTION

    def _native(self, apdu: Apdu | None) -> bytes:
        if apdu is None or apdu.wanted != 256:
            return bytes((0x91, Status.LENGTH))
        if apdu.parameters != b"\x00\x00":
            return bytes((0x91, Status.PARAMETER))
        if apdu.code == 0x5A:
            return bytes((0x91, self._select(apdu.data)))
        if apdu.code == 0xBD:
            # ReadData has an older code beside the one of ISO/IEC 14443-4 chaining.
            return self._selected.answer(0xAD, apdu.data)
        return self._selected.answer(apdu.code, apdu.data)

    def _select(self, aid: bytes) -> Status:
        self._selected.reset()
        if len(aid) != 3:
            return Status.LENGTH
        found = self._picc if aid == PICC_AID else self.applications.get(aid)
        if found is None:
            return Status.APPLICATION_NOT_FOUND
        self._selected = found
        return Status.OK


class Desfire(IsoDepCard):
    """The whole card, empty at first. `random` draws its challenges; `extensions` and `ats` are as in `IsoDep`."""

    def __init__(
        self, uid: bytes, random: Random, *, model: Model = "EV2", ats: bytes = ATS, extensions: int = 0
    ) -> None:
        if len(uid) != UID_BYTES:
            raise ValueError("the UID of a DESFire has 7 bytes")
        self.applet = DesfireApplet(uid, random, model)
        self.ats = ats
        self._model = model
        super().__init__(uid, IsoDep(self.applet, ats=ats, extensions=extensions, forget=self.applet.reset))

    def personalise(self, badge_id: bytes, key: bytes, aid: bytes = BADGE_AID) -> None:
        """Be a badge, as its supplier delivers it; with another `aid` it is a badge of somebody else's."""
        file = File(bytearray(BADGE_FILE_BYTES), Mode.FULL, 0, 0, 0, 0)
        write_badge(file, badge_id)
        self.applet.install(aid, [Key(key, BADGE_KEY_VERSION)], {BADGE_FILE: file})

    def twin(self, random: Random, key: bytes) -> "Desfire":
        """Return another card with the same UID, ATS, applications and files, but with `key`."""
        twin = Desfire(self.anticollision.uid, random, model=self._model, ats=self.ats)
        for aid, application in self.applet.applications.items():
            twin.applet.install(aid, [Key(key, application.keys[0].version)], deepcopy(application.files))
        return twin
