"""The reckoning: what the agents have committed and what the hub has, stream by stream."""

import json
from dataclasses import dataclass, field
from typing import Any

from simulators.folder import Folder
from simulators.processes import program, run_once

COMMAND_WITHIN_S = 60.0
"""A status is read in a second; a busy laptop may need some more."""


class AccountError(RuntimeError):
    """A status command failed: one sentence with what it said."""


@dataclass(frozen=True, slots=True)
class Account:
    """One site's events at one end: all that were ever committed there, and the last position of each stream kept."""

    events: int
    streams: dict[str, int] = field(default_factory=dict)


def differences(edges: dict[str, Account], hub: dict[str, Account]) -> list[str]:
    """Return one sentence for each site or stream in which the two ends differ; none is what is promised."""
    nothing = Account(0)
    told = []
    for site, edge in edges.items():
        there = hub.get(site, nothing)
        if edge.events != there.events:
            told.append(f"{site}: {edge.events} events at the edge, {there.events} at the hub")
        told += [
            f"{site}, stream {stream}: up to {last} at the edge, up to {there.streams.get(stream, 0)} at the hub"
            for stream, last in edge.streams.items()
            if last != there.streams.get(stream, 0)
        ]
    return told


async def edge_account(folder: Folder, site: str) -> Account:
    """Return what one agent has committed, whether it runs or not.

    Raises:
        AccountError: its outbox cannot be read.
    """
    answer = await _json(
        program("telecentre-edge"), "outbox", "status", "--json", "--config", str(folder.site_toml(site))
    )
    streams = {stream["stream"]: int(stream["last"]) for stream in answer["streams"]}
    return Account(int(answer["events"]), streams)


async def hub_accounts(folder: Folder) -> dict[str, Account]:
    """Return what the hub has committed, by site.

    Raises:
        AccountError: its database cannot be read.
    """
    answer = await _json(program("telecentre-hub"), "status", "--json", "--config", str(folder.hub_toml))
    accounts: dict[str, Account] = {}
    for stream in answer["streams"]:
        before = accounts.get(stream["site"], Account(0))
        events = before.events + int(stream["events"]) + int(stream["quarantined"])
        accounts[stream["site"]] = Account(events, {**before.streams, stream["stream"]: int(stream["position"])})
    return accounts


async def rebuild_differs(folder: Folder) -> bool:
    """Return whether the hub's statistics differ from a computation of everything anew."""
    code, _, _ = await run_once(
        [program("telecentre-hub"), "rebuild", "--json", "--config", str(folder.hub_toml)], within_s=COMMAND_WITHIN_S
    )
    return code != 0


async def _json(*command: str) -> dict[str, Any]:
    try:
        code, out, said = await run_once(list(command), within_s=COMMAND_WITHIN_S)
    except TimeoutError as error:
        raise AccountError(f"`{' '.join(command)}` did not end within {COMMAND_WITHIN_S:.0f} s") from error
    try:
        answer = json.loads(out)
    except ValueError as error:
        raise AccountError(f"`{' '.join(command)}` ended with {code} and said: {said.strip()[-300:]}") from error
    if not isinstance(answer, dict):
        raise AccountError(f"`{' '.join(command)}` did not answer with an object")
    return answer
