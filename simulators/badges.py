"""Who carries which badge in the simulated telecentres, and what the hub's register is to say of it.

Everything follows from the seed: the same seed makes the same cards, so no UID is ever written down. Names are those of
the play; they go into no message, only into the register and on the command line (`telecentre-sim tap murat --badge
jeanne`).
"""

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


@dataclass(frozen=True, slots=True)
class Badge:
    """A card, and by which `badge_id` and in which state the hub registers it; without one, it is a stranger's badge.

    A secured card without a `secret` is as its factory made it, ready for an enrolment.
    """

    name: str
    kind: Kind
    uid: bytes
    badge_id: bytes | None = None
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


def badges_of(site: str, desks: int, seed: int) -> dict[str, Badge]:
    """Return the badges around one site by name: members first, then those that must not open the door."""
    members = [_name(number) for number in range(desks + _SPARE_MEMBERS)]
    badges = [_known(site, seed, name, SECURED[number % 2]) for number, name in enumerate(members)]
    elsewhere = Random(f"elsewhere/{seed}/{site}")
    badges += [
        _known(site, seed, "expired", expired=True),
        _known(site, seed, "lost", "desfire", state="lost"),
        _known(site, seed, "disabled", state="disabled"),
        Badge(
            "unknown",  # of another network
            "ntag424",
            _uid(site, seed, "unknown", 7),
            secret=Secret(elsewhere.randbytes(16), elsewhere.randbytes(16)),
        ),
        Badge("tag", "ntag", _uid(site, seed, "tag", 7)),
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


def registered(badges: dict[str, Badge]) -> list[Badge]:
    """Return the badges that the hub is to know, in order."""
    return [badge for badge in badges.values() if badge.badge_id is not None]


def members_of(badges: dict[str, Badge]) -> list[Badge]:
    """Return those who may enter, in order."""
    return [badge for badge in registered(badges) if badge.state == "active" and not badge.expired]


def _name(number: int) -> str:
    rounds, index = divmod(number, len(_FIRST_NAMES))
    return _FIRST_NAMES[index] + (str(rounds + 1) if rounds else "")


def _known(
    site: str,
    seed: int,
    name: str,
    kind: Kind = "ntag424",
    *,
    state: Literal["active", "lost", "stolen", "disabled"] = "active",
    expired: bool = False,
) -> Badge:
    # Two generators, so that the badge id says nothing about the UID.
    badge_id = Random(f"badge/{seed}/{site}/{name}").randbytes(16)
    return Badge(name, kind, _uid(site, seed, name, 7), badge_id, state, expired)


def _uid(site: str, seed: int, name: str, length: int) -> bytes:
    # NXP's manufacturer byte: never 08, which would mark a random UID.
    return b"\x04" + Random(f"card/{seed}/{site}/{name}").randbytes(length - 1)
