"""Ports of loopback for servers of our own."""

import socket
from contextlib import suppress
from pathlib import Path
from random import Random

_LOWEST = 10_240
_GIVEN_TO_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RANDOM = Random()


def free_port() -> int:
    """Return a port that nobody listens on, and that the kernel gives to no connection before its server has it.

    A port asked of the kernel (0) comes from those of connections: a fleet makes thousands of them meanwhile.
    """
    first_given = int(_GIVEN_TO_CLIENTS.read_text().split()[0])
    for port in _RANDOM.sample(range(_LOWEST, max(first_given, _LOWEST + 1_000)), 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are taken")
