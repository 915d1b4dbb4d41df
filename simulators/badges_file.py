"""The file that says what is on the secured badges of a simulation: the people's cards, as an enrolment has left them.

    [[badge]]
    site = "murat"
    name = "jeanne"                    # as in `telecentre-sim tap murat --badge jeanne`
    badge_id = "<32 hex>"
    key = "<32 hex>"
    card = "ntag424"                   # or "desfire"; "ntag424" if absent

The hub derives the keys and the simulators know no master: whoever registers the people's badges writes this file
(`simulators.registration`). It stands for the cards themselves.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulators.badges import SECURED, Secret

MAX_FILE_BYTES = 1_000_000
"""Some 6,000 badges; a demo has a hundred."""

_SIXTEEN_BYTES = re.compile(r"[0-9a-f]{32}")


class BadgesFileError(ValueError):
    """The file cannot be used: one sentence with its place."""


def read_secrets(path: Path) -> dict[str, dict[str, Secret]]:
    """Return the secrets by site and name; none when there is no file.

    Raises:
        BadgesFileError: it is no such file, or two of its badges are of one person.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return {}
    if len(content) > MAX_FILE_BYTES:
        raise BadgesFileError(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    try:
        table = tomllib.loads(content.decode())
    except ValueError as error:
        raise BadgesFileError(f"{path} is no TOML: {error}") from error
    entries = table.get("badge", [])
    if table.keys() - {"badge"} or not isinstance(entries, list):
        raise BadgesFileError(f"{path} must be a list of tables [[badge]] and nothing else")
    found: dict[str, dict[str, Secret]] = {}
    for number, entry in enumerate(entries, 1):
        site, name, secret = _secret(entry, f"{path}: badge {number}")
        if name in found.setdefault(site, {}):
            raise BadgesFileError(f"{path}: badge {number}: {name} at {site} has one already")
        found[site][name] = secret
    return found


def badges_toml(secrets: Mapping[str, Mapping[str, Secret]]) -> str:
    """Return a file that says `secrets`, by site and name."""
    lines = ["# This stands for the cards themselves: whoever reads it has the people's badges."]
    for site, badges in secrets.items():
        for name, secret in badges.items():
            lines += ["", "[[badge]]", f'site = "{site}"', f'name = "{name}"', f'badge_id = "{secret.badge_id.hex()}"']
            lines += [f'key = "{secret.key.hex()}"', f'card = "{secret.kind}"']
    return "\n".join(lines) + "\n"


def _secret(entry: Any, place: str) -> tuple[str, str, Secret]:  # noqa: ANN401 - what TOML can hold
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise BadgesFileError(f"{place} is no table of texts")
    unknown = entry.keys() - {"site", "name", "badge_id", "key", "card"}
    missing = {"site", "name", "badge_id", "key"} - entry.keys()
    if unknown or missing:
        raise BadgesFileError(f"{place}: {min(missing or unknown)} is {'missing' if missing else 'unknown'}")
    for key in ("badge_id", "key"):
        if not _SIXTEEN_BYTES.fullmatch(entry[key]):
            raise BadgesFileError(f"{place}: {key} must be 32 hexadecimal digits in lower case")
    card = next((kind for kind in SECURED if kind == entry.get("card", "ntag424")), None)
    if card is None:
        raise BadgesFileError(f"{place}: card must be one of {', '.join(SECURED)}")
    secret = Secret(bytes.fromhex(entry["badge_id"]), bytes.fromhex(entry["key"]), card)
    return entry["site"], entry["name"], secret
