"""What `telecentre-sim fleet` does before and around a fleet: its network, its limits, its signals."""

import ipaddress
import resource
import signal
import threading
from pathlib import Path
from types import FrameType

from simulators.fleet import Fleet
from simulators.fleet_network import COMMUNES, network_toml, synthetic_network
from simulators.fleet_options import FleetError, Options
from simulators.network import Network, NetworkError, part_of, read_network

MAX_SITES = 10_000
"""As many as a hub imports."""

SPARE_FILES = 64
"""Open files beside the sites' sockets: the selector, the log, Python's own."""


def played_sites(file: Path | None, sites: int | None, seed: int) -> Network:
    """Return the network to play: the first `sites` of a file, or a synthetic one.

    Raises:
        FleetError: the file cannot be read.
        NetworkError: it is not a network, or has fewer sites.
    """
    if file is None:
        return synthetic_network(COMMUNES if sites is None else sites, seed)
    try:
        network = read_network(file.read_text(encoding="utf-8"), most=MAX_SITES)
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(f"{file} cannot be read: {error}. --write-network FILE makes one.") from error
    except NetworkError as error:
        raise NetworkError(f"{file}: {error}") from error
    return network if sites is None else part_of(network, sites=sites)


def write_network(network: Network, file: Path) -> None:
    """Write a network for `telecentre-hub site import`.

    Raises:
        FleetError: the file is there already, or cannot be written.
    """
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(network_toml(network))
    except FileExistsError as error:
        raise FleetError(f"{file} is there already: name another file") from error
    except OSError as error:
        raise FleetError(f"{file} cannot be written: {error.strerror}") from error


def run_fleet(options: Options) -> dict[str, object]:
    """Play a fleet until its time is over or SIGTERM or SIGINT comes; return what came of it.

    Raises:
        FleetError: the system allows too few open files, or there is no broker.
    """
    allow_files(len(options.network.sites))
    stopped = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return Fleet(options, stopped.is_set).run()


def allow_files(sites: int) -> None:
    """Raise the soft limit of open files to what a fleet of `sites` needs.

    Raises:
        FleetError: the hard limit is lower.
    """
    wanted = sites + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise FleetError(
            f"{sites} sites need {wanted} open files and this system allows {hard}:"
            f" raise the hard limit (ulimit -Hn {wanted} as root, or LimitNOFILE={wanted} in a service),"
            f" or play at most {hard - SPARE_FILES} sites with --sites"
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def broker_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port`.

    Raises:
        FleetError: it is not of that form, or of another machine: a fleet speaks in plain text, as ten thousand
            sites that it is not.
    """
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
        number = int(port)
    except ValueError as error:
        raise FleetError(f"'{text}' is not an address: write 127.0.0.1:1883") from error
    if not loopback or not 1 <= number <= 65_535:
        raise FleetError(f"'{text}': a fleet speaks plain MQTT, so only to a broker of this machine (127.0.0.1:1883)")
    return host, number
