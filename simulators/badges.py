"""Who carries which badge in the simulated telecentres, and what the site's list of rights says of it.

Everything follows from the seed: the same seed makes the same cards, so no UID is ever written down. Names are those of
the play; they go into no message, only on the command line (`telecentre-sim tap murat --badge jeanne`).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

Kind = Literal["ntag", "classic", "phone", "ntag424", "desfire"]
"""The card: the first three are known by their number at best, the last two prove themselves."""

SECURED: tuple[Literal["ntag424", "desfire"], ...] = ("ntag424", "desfire")

_FIRST_NAMES = (
    *("jeanne", "louis", "marie", "pierre", "amina", "hugo", "claire", "antoine", "lucie", "mathis"),
    *("sophie", "rachid", "camille", "paul", "odile", "yann", "nora", "gilles", "elise", "victor"),
)
_SPARE_MEMBERS = 3
"""More members than desks: a telecentre's badges outnumber its chairs."""

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Badge:
    """A card and the line of the rights file it should have; no `credential_id`, no line: a stranger's badge.

    A secured card without a `secret` is as its factory made it, ready for an enrolment.
    """

    name: str
    kind: Kind
    uid: bytes
    credential_id: str | None = None
    state: Literal["active", "lost", "stolen", "disabled"] = "active"
    expired: bool = False
    secret: "Secret | None" = None

    @property
    def is_secured(self) -> bool:
        """Whether the card proves itself, and is not known by its number."""
        return self.kind in SECURED


@dataclass(frozen=True, slots=True)
class Secret:
    """What an enrolment has put on a secured card: its name, and the key that proves it. Source: docs/badges.md."""

    badge_id: bytes
    key: bytes = field(repr=False)
    kind: Literal["ntag424", "desfire"] = "ntag424"


@dataclass(frozen=True, slots=True)
class Hours:
    """A weekly window of a member's rights: OSM day names and local times."""

    days: str
    start: str
    end: str


def badges_of(site: str, desks: int, seed: int) -> dict[str, Badge]:
    """Return the badges around one site by name: members first, then those that must not open the door."""
    members = [_name(number) for number in range(desks + _SPARE_MEMBERS)]
    badges = [_known(site, seed, name) for name in members]
    badges += [
        _known(site, seed, "expired", expired=True),
        _known(site, seed, "lost", state="lost"),
        _known(site, seed, "disabled", state="disabled"),
        Badge("unknown", "ntag", _uid(site, seed, "unknown", 7)),
        Badge("blank", "ntag424", _uid(site, seed, "blank", 7)),
        Badge("classic", "classic", _uid(site, seed, "classic", 4)),
        Badge("phone", "phone", b""),  # a phone draws a new random UID at each presentation
    ]
    return {badge.name: badge for badge in badges}


def secured(badges: dict[str, Badge], secrets: Mapping[str, Secret]) -> dict[str, Badge]:
    """Return the badges, those of whom a secret is known being secured cards with it."""
    return {
        name: replace(badge, kind=secrets[name].kind, secret=secrets[name]) if name in secrets else badge
        for name, badge in badges.items()
    }


def members_of(badges: dict[str, Badge]) -> list[Badge]:
    """Return those who may enter, in order."""
    return [badge for badge in badges.values() if badge.credential_id and badge.state == "active" and not badge.expired]


def uid_hash(site_key: bytes, uid: bytes) -> bytes:
    """Return the 32 bytes by which a site knows a UID: HMAC-SHA-256 over label, zero, length and UID.

    Source: docstring of contract/credentials.py; golden vectors in tests/vectors/credentials.toml.
    """
    return hmac.new(site_key, b"telecentre/uid/v1\0" + len(uid).to_bytes(1, "big") + uid, hashlib.sha256).digest()


def rights_toml(badges: dict[str, Badge], site_key: bytes, hours: tuple[Hours, ...]) -> str:
    """Return the rights file of a site: every badge that has a credential, within `hours` (empty: at any time)."""
    windows = ", ".join(f'{{days = "{each.days}", from = "{each.start}", to = "{each.end}"}}' for each in hours)
    lines = ["version = 1"]
    for badge in badges.values():
        if badge.credential_id is None:
            continue
        lines += [
            "",
            "[[credential]]",
            f'id = "{badge.credential_id}"',
            f'uid_hash = "{uid_hash(site_key, badge.uid).hex()}"',
            f'state = "{badge.state}"',
        ]
        if badge.expired:
            lines.append("valid_until = 2020-01-01T00:00:00+01:00")
        if windows:
            lines.append(f"windows = [{windows}]")
    return "\n".join(lines) + "\n"


_RULE = re.compile(r"(?P<days>[A-Z][a-z](?:[-,][A-Z][a-z])*) (?P<times>\d\d:\d\d-\d\d:\d\d(?:,\d\d:\d\d-\d\d:\d\d)*)")


def hours_of(opening_hours: str) -> tuple[Hours, ...]:
    """Return the weekly windows in opening hours of OSM syntax: none for "24/7", and none for rules without times."""
    windows = []
    for rule in opening_hours.split(";"):
        match = _RULE.fullmatch(rule.strip())
        if match is None or "PH" in match["days"]:
            continue
        for times in match["times"].split(","):
            start, end = times.split("-")
            windows.append(Hours(match["days"], start, end))
    return tuple(windows)


def _name(number: int) -> str:
    rounds, index = divmod(number, len(_FIRST_NAMES))
    return _FIRST_NAMES[index] + (str(rounds + 1) if rounds else "")


def _known(
    site: str,
    seed: int,
    name: str,
    *,
    state: Literal["active", "lost", "stolen", "disabled"] = "active",
    expired: bool = False,
) -> Badge:
    # Two generators, so that the credential id says nothing about the UID.
    letters = Random(f"credential/{seed}/{site}/{name}").choices(_LETTERS, k=8)
    return Badge(name, "ntag", _uid(site, seed, name, 7), "".join(letters), state, expired)


def _uid(site: str, seed: int, name: str, length: int) -> bytes:
    # NXP's manufacturer byte: never 08, which would mark a random UID.
    return b"\x04" + Random(f"card/{seed}/{site}/{name}").randbytes(length - 1)
