"""How a command reaches the devices of a running demo: one line of JSON there, one line back, over a unix socket.

{"do": "tap", "site": "murat", "badge": "jeanne"}        {"ok": true, "pulse_after_ms": 41.3, ...}
{"do": "unplug", "site": "murat", "device": "reader"}    {"ok": true, "device": "reader-01"}
{"do": "spoil", "site": "murat", "device": "desk-03-radar", "ill": "stuck"}
{"do": "plug", ...}    {"do": "hush"} (people stop)      {"ok": false, "error": "one sentence"}
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulators.badges_wallet import NothingToCopyError
from simulators.hub_page import Why
from simulators.site import NoSuchDeviceError, SimulatedSite

MAX_LINE_BYTES = 4_096
"""A request or a reply is some two hundred bytes; more is a mistake."""

MAX_CALLERS = 16
"""Callers at one time; one more is turned away."""

REQUEST_WITHIN_S = 5.0
"""A caller who says nothing for so long is gone."""

REPLY_WITHIN_S = 30.0
"""The slowest request, a tap, waits for the doorway, for the strike to lock, and for the reader's answer."""

Request = dict[str, Any]
Reply = dict[str, Any]


class ControlError(RuntimeError):
    """A request was not carried out: one sentence, and its remedy where there is one."""


class Control:
    """The socket of the devices process."""

    def __init__(self, path: Path, sites: dict[str, SimulatedSite], hush: Callable[[], Awaitable[None]]) -> None:
        self._path = path
        self._sites = sites
        self._hush = hush
        self._callers = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; only this user may call, for the folder around the socket is private."""
        self._server = await asyncio.start_unix_server(self._answer, self._path, limit=MAX_LINE_BYTES)

    async def stop(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            reply = await self._reply(reader) if self._callers <= MAX_CALLERS else _error("too many callers: try again")
            writer.write(json.dumps(reply).encode() + b"\n")
            async with asyncio.timeout(REQUEST_WITHIN_S):
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # the caller has gone; what was asked is done
        finally:
            self._callers -= 1
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader) -> Reply:
        try:
            async with asyncio.timeout(REQUEST_WITHIN_S):
                line = await reader.readline()
            request = json.loads(line)
            if not isinstance(request, dict):
                return _error("a request is one JSON object in a line")
            return {"ok": True, **await self._do(request)}
        except TimeoutError as error:
            return _error(str(error) or "no request came")
        except (ControlError, NoSuchDeviceError, NothingToCopyError) as error:
            return _error(str(error.args[0]))
        except ValueError:  # also UnicodeDecodeError, JSONDecodeError and a line beyond the limit
            return _error("a request is one JSON object in a line of at most 4,096 bytes")

    async def _do(self, request: Request) -> Reply:
        action = request.get("do")
        if action == "hush":
            await self._hush()
            return {}
        site = self._sites.get(str(request.get("site")))
        if site is None:
            raise ControlError(f"no site '{request.get('site')}' here; there are {', '.join(self._sites)}")
        if action == "tap":
            return await _tap(site, request)
        if action == "unplug":
            return {"device": site.unplug(str(request.get("device")))}
        if action == "plug":
            return {"device": site.plug(str(request.get("device")))}
        if action == "spoil":
            return {"device": site.spoil(str(request.get("device")), str(request.get("ill")))}
        raise ControlError(f"'{action}' cannot be done; tap, unplug, spoil, plug and hush can")


async def _tap(site: SimulatedSite, request: Request) -> Reply:
    name = request.get("badge") or next(iter(site.badges))
    badge = site.badges.get(str(name))
    if badge is None:
        raise ControlError(f"nobody at {site.id} has a badge '{name}'; there are {', '.join(site.badges)}")
    tap = await site.tap(badge, pattern_s=1.0, clone=bool(request.get("clone")))
    seen = {"badge": badge.name, "secured": badge.is_secured, "pulsed": tap.pulsed, "answered": tap.answered}
    return {**seen, **asdict(tap)}


def tap_report(seen: Reply, site: str, why: Why | None, *, clone: bool) -> list[str]:
    """Return what a tap looked like, in sentences; `why` is what the hub says of the decision, if it has it."""
    said = f" ({why.reason})" if why else ""
    shown = ["green light"] if seen["granted_lit"] else []
    shown += ["red light"] if seen["refused_lit"] else []
    shown += [f"{seen['beeps']} beep{'s' if seen['beeps'] > 1 else ''}"] if seen["beeps"] else []
    if seen["pulsed"]:
        after_ms = f"{seen['pulse_after_ms']:.0f} ms"
        told = [f"{site}: the strike of door-01 pulsed {after_ms} after the card entered the field{said}"]
    elif seen["answered"]:
        told = [f"{site}: the door stayed shut{said}"]
        told += [f"the hub says: {why.sentence} {why.remedy}"] if why else []
    else:
        told = [f"{site}: the door stayed shut: the reader did not react; is it unplugged, or its agent restarting?"]
    if shown:
        told.append(f"at the reader: {', '.join(shown)}")
    if clone and seen.get("secured"):
        told.append("This was a copy of a secured badge: the same number and the same name, but not its key.")
    elif clone and seen["pulsed"]:
        told.append(
            "This was another card with a copied number: badges of the UID class are known by their number alone,"
        )
        told.append("so a copy opens. That is why a site must choose that class; secured badges will refuse the copy.")
    return told


def _error(sentence: str) -> Reply:
    return {"ok": False, "error": sentence}


def ask(path: Path, request: Request, *, within_s: float = REPLY_WITHIN_S) -> Reply:
    """Return the devices' reply to a request; blocks.

    Raises:
        ControlError: no demo runs there, it does not answer, or it refuses, and why.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(within_s)
            caller.connect(str(path))
            caller.sendall(json.dumps(request).encode() + b"\n")
            with caller.makefile("rb") as answers:
                line = answers.readline(MAX_LINE_BYTES)
    except FileNotFoundError as error:
        raise ControlError("no demo runs there: start one with `telecentre-sim demo`, or name its --state") from error
    except ConnectionRefusedError as error:
        raise ControlError("the demo there has been killed: start it again with `telecentre-sim demo`") from error
    except OSError as error:
        raise ControlError(f"the devices of the demo do not answer ({error})") from error
    try:
        reply = json.loads(line)
    except ValueError as error:
        raise ControlError("the devices of the demo have stopped in the middle of an answer") from error
    if not isinstance(reply, dict) or not reply.get("ok"):
        raise ControlError(str(reply.get("error")) if isinstance(reply, dict) else "the answer cannot be read")
    return reply
