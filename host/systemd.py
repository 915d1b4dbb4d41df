"""systemd's notification protocol: ready, stopping, and the watchdog, fed only by those who made progress.

Source: sd_notify(3). Without NOTIFY_SOCKET every call does nothing, so the programs run the same from a shell.
"""

import os
import socket


def notify(state: str) -> None:
    """Send one state (`READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=...`) to the service manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.settimeout(1.0)
        try:
            notifier.sendto(state.encode(), address)
        except OSError:
            return  # the manager is away or busy: it will judge by its own watchdog


def watchdog_interval_s() -> float | None:
    """Return how often to feed the watchdog (half its limit), or None when there is none."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    return int(limit_us) / 2_000_000 if limit_us.isdigit() and int(limit_us) > 0 else None
