"""A reader of EV2 cards for tests, on the CMAC of `cryptography`: it shares no line with the cards, nor with the edge.

It speaks through any function that takes a command APDU and returns the response.
"""

from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

NTAG = bytes.fromhex("00a4040007d276000085010100")
DESFIRE = bytes.fromhex("905a00000334fa3a00")
READ_BADGE = bytes.fromhex("90ad0000070300000014000000")
ZERO = bytes(16)


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


class Reader:
    """Speaks to one card; `session` is (encryption key, MAC key, transaction, counter) after an authentication."""

    def __init__(self, say: Callable[[bytes], bytes], random: Random | None = None) -> None:
        self.say = say
        self._random = random or Random(7)
        self._keys = (ZERO, ZERO)
        self._transaction = b""
        self.counter = 0

    def native(self, code: int, data: bytes = b"") -> tuple[bytes, str]:
        """Return data and status (two hexadecimal digits behind 91) of a wrapped command."""
        length = bytes((len(data),)) + data if data else b""
        said = self.say(bytes((0x90, code, 0, 0)) + length + b"\x00")
        assert said[-2] == 0x91, said.hex()
        return said[:-2], f"{said[-1]:02x}"

    def badge_id(self, select: bytes = NTAG) -> bytes | None:
        """Select the application and return what the badge calls itself."""
        if self.say(select)[-1]:
            return None
        said = self.say(READ_BADGE)
        return said[4:-2] if said[-2:] == b"\x91\x00" and said[:4] == b"TCB1" else None

    def authenticate(self, key: bytes, number: int = 0, *, first: bool = True) -> str:
        """Return "00" when the card has proven that it knows the key, its status when it refused, "liar" otherwise."""
        challenge, status = self.native(0x71 if first else 0x77, bytes((number, 0) if first else (number,)))
        if status != "af":
            return status
        rnd_a, rnd_b = self._random.randbytes(16), self._cbc(key, challenge, encrypt=False)
        answer, status = self.native(0xAF, self._cbc(key, rnd_a + rnd_b[1:] + rnd_b[:1], encrypt=True))
        if status != "00":
            return status
        plain = self._cbc(key, answer, encrypt=False)
        proof = plain[4:20] if first else plain
        if proof != rnd_a[1:] + rnd_a[:1]:
            return "liar"
        if first:
            self._transaction, self.counter = plain[:4], 0
        mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
        context = b"\x00\x01\x00\x80" + rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
        self._keys = (_cmac(key, b"\xa5\x5a" + context), _cmac(key, b"\x5a\xa5" + context))
        return "00"

    def plain(self, code: int, header: bytes = b"", data: bytes = b"") -> tuple[bytes, str]:
        """Say a command in plain within the session."""
        answer = self.native(code, header + data)
        self.counter += 1
        return answer

    def mac(self, code: int, header: bytes = b"", data: bytes = b"") -> tuple[bytes, str]:
        """Say a command in mode MAC and check the response's."""
        return self._opened(*self.native(code, header + data + self._mac(code, header + data)))

    def full(self, code: int, header: bytes = b"", data: bytes = b"") -> tuple[bytes, str]:
        """Say a command in mode Full, and decrypt the response."""
        sealed = b""
        if data:
            whole = (data + b"\x80").ljust((len(data) // 16 + 1) * 16, b"\x00")
            sealed = self._cbc(self._keys[0], whole, encrypt=True, start=self._start(b"\xa5\x5a"))
        answer, status = self.mac(code, header, sealed)
        if not answer:
            return answer, status
        plain = self._cbc(self._keys[0], answer, encrypt=False, start=self._start(b"\x5a\xa5"))
        return plain[: plain.rindex(b"\x80")], status

    def change_key(self, new: bytes, version: int = 1) -> str:
        """Change key 0, which opened the session."""
        return self.full(0xC4, b"\x00", new + bytes((version,)))[1]

    def personalise(self, badge_id: bytes, key: bytes) -> str:
        """Make a badge of a blank card, as docs/badges.md says; return the first status that is not "00"."""
        self.say(NTAG)
        statuses = [self.authenticate(ZERO)]
        steps = [
            (0x5F, b"\x03", bytes.fromhex("0300e0")),
            (0x8D, bytes.fromhex("03000000140000"), b"TCB1" + badge_id),
            (0x5F, b"\x02", bytes.fromhex("0000e0")),
            (0xC4, b"\x00", key + b"\x01"),
        ]
        for step in steps:
            if statuses[-1] != "00":
                return statuses[-1]
            statuses.append(self.full(*step)[1])
        return self.authenticate(key) if statuses[-1] == "00" else statuses[-1]

    def _opened(self, answer: bytes, status: str) -> tuple[bytes, str]:
        self.counter += 1
        if status != "00" or not answer:
            return b"", status
        data, mac = answer[:-8], answer[-8:]
        assert mac == self._mac(0, data), "the card's MAC is wrong"
        return data, status

    def _mac(self, code: int, data: bytes) -> bytes:
        count = self.counter.to_bytes(2, "little")
        return _cmac(self._keys[1], bytes((code,)) + count + self._transaction + data)[1::2]

    def _start(self, label: bytes) -> bytes:
        block = label + self._transaction + self.counter.to_bytes(2, "little") + bytes(8)
        return self._cbc(self._keys[0], block, encrypt=True)

    @staticmethod
    def _cbc(key: bytes, data: bytes, *, encrypt: bool, start: bytes = ZERO) -> bytes:
        cipher = Cipher(algorithms.AES(key), modes.CBC(start))
        machine = cipher.encryptor() if encrypt else cipher.decryptor()
        return machine.update(data) + machine.finalize()
