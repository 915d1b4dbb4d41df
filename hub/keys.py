"""The two secrets of a hub: what signs lists and commands, and the master from which every badge's key is derived.

They come from systemd's credentials or from files of their own, as hexadecimal digits; they are made once, and never
overwritten: with another signing key every site would refuse its hub, with another master every badge would be dead.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contract.credentials import BADGE_KEY_BYTES
from contract.sealing import KEY_BYTES, verify_key_of
from host.settings import SettingsError, secret
from hub.badge_keys import badge_key
from hub.config import IssuingSettings


class KeysError(Exception):
    """Keys cannot be made: one sentence."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Both secrets; neither is ever printed."""

    signing: bytes = field(repr=False)
    master: bytes = field(repr=False)

    @property
    def verify_key(self) -> str:
        """By which every site knows what this hub signed: 64 hexadecimal digits, no secret."""
        return verify_key_of(self.signing).hex()

    def badge_key(self, badge: str, network: str) -> str:
        """Return the key of a badge id in a network, as 32 hexadecimal digits."""
        return badge_key(self.master, bytes.fromhex(badge), network).hex()


def read_keys(settings: IssuingSettings) -> Keys:
    """Return the secrets of the hub.

    Raises:
        SettingsError: one is missing or is not a key; the sentence does not hold it.
    """
    return Keys(
        signing=_key("signing_key", settings.signing_key_file, KEY_BYTES),
        master=_key("badge_master_key", settings.master_key_file, BADGE_KEY_BYTES),
    )


def _key(name: str, file: Path | None, size: int) -> bytes:
    content = secret(name, file)
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != size:
        raise SettingsError(f"the credential '{name}' is not {2 * size} hexadecimal digits: 'keys init' makes one")
    return key


def make_keys(settings: IssuingSettings, token: Callable[[int], bytes]) -> None:
    """Draw both secrets and write each to its file, readable by its owner alone; never over a file that is there.

    Raises:
        KeysError: the settings name no file, one is there already, or it cannot be written.
    """
    wanted = ((settings.signing_key_file, KEY_BYTES), (settings.master_key_file, BADGE_KEY_BYTES))
    files = [(file, size) for file, size in wanted if file is not None]
    if len(files) < len(wanted):
        raise KeysError("name signing_key_file and master_key_file in the section [issuing] first")
    for file, _ in files:
        if file.exists():
            raise KeysError(f"{file} is there already: a key is made once, and nothing was changed")
    made: list[Path] = []
    try:
        for file, size in files:
            write_secret(file, f"{token(size).hex()}\n")
            made.append(file)
    except KeysError:
        # One key alone would stand in the way of the next attempt, which overwrites nothing.
        for file in made:
            file.unlink(missing_ok=True)
        raise


def write_secret(file: Path, text: str) -> None:
    """Write a file that its owner alone can read; never over one that is there.

    Raises:
        KeysError: it is there already, or it cannot be written.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KeysError(f"{file}: cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(handle)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise KeysError(f"{file}: cannot be written ({error.strerror})") from error
