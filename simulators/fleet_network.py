"""A network that exists nowhere, as large as is asked: the telecentres of a fleet. A pure function of size and seed."""

from random import Random

from simulators.network import ALWAYS_OPEN, Network, Site

COMMUNES = 4_072
"""Communes of the Massif central, and the sites of a fleet unless it is told otherwise."""

_DEPARTMENTS = ("03", "07", "12", "15", "19", "23", "30", "34", "42", "43", "46", "48", "63", "81", "87")
_DESKS = (2, 3, 4, 4, 5, 5, 5, 6, 7, 8)
"""4.9 on average: 20,000 desks in 4,072 sites."""


def synthetic_network(sites: int, seed: int) -> Network:
    """Return a network of `sites` telecentres; more of the same seed begins with the same."""
    return Network("fleet", "Flotte simulée", "Europe/Paris", ALWAYS_OPEN, tuple(_site(n, seed) for n in range(sites)))


def network_toml(network: Network) -> str:
    """Return a network as the file that `telecentre-hub site import` reads."""
    head = {key: getattr(network, key) for key in ("id", "name", "time_zone", "opening_hours")}
    tables = ["[network]", *(f'{key} = "{value}"' for key, value in head.items())]
    for site in network.sites:
        tables += ["", "[[site]]"]
        tables += [f'{key} = "{getattr(site, key)}"' for key in ("id", "name", "code_insee")]
        tables += [f"{key} = {getattr(site, key)}" for key in ("latitude", "longitude", "desks", "visio_rooms")]
    return "\n".join(tables) + "\n"


def _site(number: int, seed: int) -> Site:
    random = Random(f"site {number} of {seed}")
    department = _DEPARTMENTS[number % len(_DEPARTMENTS)]
    return Site(
        id=f"commune-{number + 1:04d}",
        name=f"Commune {number + 1:04d}",
        code_insee=f"{department}{number // len(_DEPARTMENTS) + 1:03d}",
        latitude=round(random.uniform(43.5, 46.8), 4),
        longitude=round(random.uniform(1.5, 4.6), 4),
        desks=random.choice(_DESKS),
        visio_rooms=random.choice((0, 1, 1, 2)),
    )
