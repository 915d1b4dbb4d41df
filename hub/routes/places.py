"""Which telecentres a question is about: one, those of a zone, or all of them. Pure."""

from collections.abc import Sequence

from hub.routes.context import QueryError
from hub.store import Site


def sites_asked(registered: Sequence[Site], asked: str) -> list[Site]:
    """Return the one telecentre that is asked for, or all of them when none is.

    Raises:
        QueryError: the register does not hold it.
    """
    found = [site for site in registered if asked in ("", site.id)]
    if asked and not found:
        raise QueryError("site", "'site' must be the id of a telecentre in the register: see /api/v1/sites.")
    return found
