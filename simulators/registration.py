"""What the hub of a demo must know before people come: its keys, the telecentres, the people and their badges.

Through the hub's own commands alone, as an animator would give them. What a folder has once stays: a second start
registers who is new, and nobody else.
"""

import asyncio
import csv
import io
import json
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from simulators.badges import SECURED, Badge, Secret, badges_of, registered
from simulators.badges_file import badges_toml, read_secrets
from simulators.folder import Folder, write_whole
from simulators.network import Network
from simulators.processes import program, run_once

COMMAND_WITHIN_S = 60.0
"""A command takes half a second; a laptop that is busy with something else may need some more."""

FOR_THEIR_OWNER = 0o600

_COLUMNS = ("name", "email", "category", "valid_from", "valid_until", "sites", "holidays", "badge", "state")
_CATEGORIES = ("regular_teleworker", "self_employed", "occasional_teleworker", "employee", "travelling_sales")
_FIRST_DAY = "2026-01-01"


class RegistrationError(RuntimeError):
    """The hub refuses what it is told: one sentence with what it said."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a badge at one telecentre."""

    site: str
    badge: Badge

    @property
    def badge_id(self) -> str:
        """The id of the badge, as the register writes it."""
        return (self.badge.badge_id or b"").hex()


async def register(folder: Folder, network: Network, *, seed: int, today: date) -> str:
    """Make keys, telecentres, people and badges known, write down what is on the badges, and return the hub's key.

    Raises:
        RegistrationError: the hub refuses something.
    """
    was_there = folder.hub_database.exists()
    hub_key = asyncio.ensure_future(_hub_key(folder))
    try:
        await _told(folder, "site", "import", str(folder.network_toml))
        key = await hub_key
    finally:
        # When one of both fails, the other one ends too: nothing of ours may outlive the demo.
        hub_key.cancel()
        await asyncio.wait([hub_key])
    secrets = read_secrets(folder.badges)
    people = [
        Person(site.id, badge)
        for site in network.sites
        for badge in registered(badges_of(site.id, site.desks, seed))
        if badge.name not in secrets.get(site.id, {})
    ]
    if people:
        keys = await _enrolled(folder, people, was_there=was_there, today=today)
        for person in people:
            secrets.setdefault(person.site, {})[person.badge.name] = _secret(person, keys)
        write_whole(folder.badges, badges_toml(secrets), FOR_THEIR_OWNER)
    return key


async def _hub_key(folder: Folder) -> str:
    is_made = (folder.root / "hub" / "signing.key").exists()
    answer = await _told(folder, "keys", "show" if is_made else "init")
    return str(answer["hub_key"])


async def _enrolled(folder: Folder, people: list[Person], *, was_there: bool, today: date) -> dict[str, str]:
    """Register those whom the hub does not know yet; return the key of every badge by its id."""
    # A demo that was killed between the import and our own note has registered them already.
    keys = await _keys(folder) if was_there else {}
    unknown = [person for person in people if person.badge_id not in keys]
    if not unknown:
        return keys
    write_whole(folder.members_csv, members_csv(unknown, today))
    await _told(folder, "member", "import", str(folder.members_csv))
    return await _keys(folder)


async def _keys(folder: Folder) -> dict[str, str]:
    """Return the key of every badge by its id, as the bureau that makes the cards gets them."""
    folder.bureau.unlink(missing_ok=True)
    try:
        await _told(folder, "badge", "export-keys", "--to", str(folder.bureau))
        exported = tomllib.loads(folder.bureau.read_text(encoding="ascii"))
    finally:
        folder.bureau.unlink(missing_ok=True)
    return {str(badge["badge_id"]): str(badge["key"]) for badge in exported.get("badge", [])}


def _secret(person: Person, keys: dict[str, str]) -> Secret:
    kind = next(kind for kind in SECURED if kind == person.badge.kind)
    return Secret(bytes.fromhex(person.badge_id), bytes.fromhex(keys[person.badge_id]), kind)


def members_csv(people: list[Person], today: date) -> str:
    """Return the file from which the hub imports people, passes and badges; who is `expired` was so yesterday."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for number, person in enumerate(people):
        name = person.badge.name
        until = (today - timedelta(days=1)).isoformat() if person.badge.expired else ""
        pass_ = (_CATEGORIES[number % len(_CATEGORIES)], _FIRST_DAY, until, person.site, "yes")
        rows.writerow((name.capitalize(), f"{name}@{person.site}.example", *pass_, person.badge_id, person.badge.state))
    return text.getvalue()


async def _told(folder: Folder, *command: str) -> dict[str, Any]:
    """Return the answer of a command of the hub."""
    try:
        code, out, said = await run_once(
            [program("telecentre-hub"), *command, "--json", "--config", str(folder.hub_toml)], within_s=COMMAND_WITHIN_S
        )
        answer = json.loads(out) if code == 0 else None
    except TimeoutError as error:
        raise RegistrationError(f"The hub took too long to do `{' '.join(command[:2])}`") from error
    except ValueError as error:
        raise RegistrationError(f"The hub's answer to `{' '.join(command[:2])}` cannot be read") from error
    if not isinstance(answer, dict):
        raise RegistrationError(f"The hub refuses `{' '.join(command[:2])}`: {(said or out).strip()[-300:]}")
    return answer
