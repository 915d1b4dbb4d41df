"""Fetches an iCalendar over HTTP and reads it, in a process of its own: what a stranger's server says ends here.

    python -m edge.devices.feed ZONE INSTANT < request.json

The request is one JSON object: `url` and `within_s`, and if there are any `authorization`, `ca_file`, `etag` and
`modified` of the last answer. The answer is one too: `bookings` with `etag` and `modified`; or `unchanged`; or `fault`
and `sentence`. No sentence says more of the address than its host: such addresses often are secrets themselves. It ends
with 1 when what was fetched is no calendar that can be read.
"""

import datetime as dt
import http.client
import json
import signal
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import SplitResult, urljoin, urlsplit
from zoneinfo import ZoneInfo

from edge.devices.calendar import MAX_FILE_BYTES, be_modest, bookings

QUIET_S = 10.0
"""A server that says nothing for so long will not."""

MAX_REDIRECTS = 5

REDIRECTS = frozenset({301, 302, 303, 307, 308})

Fault = Literal["absent", "silent", "garbled", "refused", "unreadable"]


class FeedError(Exception):
    """Nothing came that could be read: a fault and one sentence."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


def fetch(request: dict[str, Any]) -> tuple[bytes, dict[str, str]] | None:
    """Return content, and the `etag` and `modified` to ask with next time; None when it has not changed.

    Raises:
        FeedError: why there is no content.
    """
    url, headers = request["url"], _headers(request)
    with _hurry(urlsplit(url).hostname, request["within_s"]):
        for _ in range(MAX_REDIRECTS + 1):
            answer = _get(url, headers, request.get("ca_file"))
            if isinstance(answer, tuple) or answer is None:
                return answer
            if _origin(urlsplit(answer)) != _origin(urlsplit(url)):
                headers.pop("Authorization", None)  # it was meant for the first server alone
            url = answer
    raise FeedError("garbled", f"{urlsplit(url).hostname} sends from one address to the next, without end")


def _headers(request: dict[str, Any]) -> dict[str, str]:
    named = {"Authorization": "authorization", "If-None-Match": "etag", "If-Modified-Since": "modified"}
    headers = {"Accept": "text/calendar", "User-Agent": "telecentre-edge", "Connection": "close"}
    return headers | {name: request[key] for name, key in named.items() if request.get(key)}


def _get(url: str, headers: dict[str, str], ca_file: str | None) -> tuple[bytes, dict[str, str]] | str | None:
    """Return content and validators, the address to go on with, or None for no change."""
    parts = urlsplit(url)
    connection = _connection(parts, ca_file)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        response = connection.getresponse()
        if response.status == http.client.NOT_MODIFIED:
            return None
        if response.status in REDIRECTS and (there := response.getheader("Location")):
            return _allowed(urljoin(url, there), parts)
        _judge(response.status, parts.hostname)
        said = {"etag": response.getheader("ETag") or "", "modified": response.getheader("Last-Modified") or ""}
        return _content(response, parts.hostname), said
    except ssl.SSLCertVerificationError as error:
        raise FeedError(
            "refused", f"the certificate of {parts.hostname} does not count: {error.verify_message}"
        ) from error
    except TimeoutError as error:
        raise FeedError("silent", f"{parts.hostname} does not answer in time") from error
    except http.client.HTTPException as error:
        raise FeedError("garbled", f"{parts.hostname} does not answer in HTTP ({type(error).__name__})") from error
    except OSError as error:
        raise FeedError("absent", f"{parts.hostname} cannot be reached ({error.strerror or error})") from error
    finally:
        connection.close()


def _connection(parts: SplitResult, ca_file: str | None) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_file)
        return http.client.HTTPSConnection(host, parts.port, timeout=QUIET_S, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=QUIET_S)


def _allowed(url: str, here: SplitResult) -> str:
    """Return an address that may be followed: encrypted, or on this machine when we are there already."""
    there = urlsplit(url)
    if there.scheme == "https" or (there.scheme == "http" and here.scheme == "http" and is_loopback(there.hostname)):
        return url
    raise FeedError("refused", f"{here.hostname} sends to an address that is not encrypted")


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine, by its address."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _judge(status: int, host: str | None) -> None:
    if status == http.client.OK:
        return
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        raise FeedError("refused", f"{host} refuses the calendar (status {status}): check login and secret")
    if status in (http.client.NOT_FOUND, http.client.GONE):
        raise FeedError("absent", f"{host} has no calendar at that address (status {status})")
    raise FeedError("garbled", f"{host} answers with status {status}")


def _content(response: http.client.HTTPResponse, host: str | None) -> bytes:
    """Return the whole content; one that is too large is not even begun when its length is known."""
    length = response.length
    if length is not None and length > MAX_FILE_BYTES:
        raise FeedError("unreadable", f"the calendar of {host} has {length} bytes, more than 1 MiB")
    content = response.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise FeedError("unreadable", f"the calendar of {host} is larger than 1 MiB")
    if length is not None and len(content) < length:
        raise FeedError("garbled", f"{host} breaks off in the middle of the calendar")
    return content


@contextmanager
def _hurry(host: str | None, within_s: float) -> Iterator[None]:
    """Give names, connection, TLS, redirects and content one bound: a server may say one byte a second."""

    def ring(*_: object) -> None:
        raise FeedError("silent", f"{host} does not give its calendar within {within_s:g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, within_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main(zone: str, now: str) -> None:
    """Fetch what the request on standard input names, and print the answer."""
    be_modest()
    answer: dict[str, Any]
    try:
        fetched = fetch(json.load(sys.stdin))
    except FeedError as error:
        answer = {"fault": error.fault, "sentence": str(error)}
    else:
        answer = {"unchanged": True}
        if fetched is not None:
            content, said = fetched
            answer = {"bookings": bookings(content, ZoneInfo(zone), dt.datetime.fromisoformat(now)), **said}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
