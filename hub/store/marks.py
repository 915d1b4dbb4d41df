"""The statements of the SQL files as psycopg and PostgreSQL take them: their marks for values, and their locks."""

import re
from functools import lru_cache

_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_LOCK = re.compile(r"/\*lock (.*?)\*/")


@lru_cache(1_024)
def translate(statement: str) -> bytes:
    """Return a statement of the SQL files as psycopg takes it: `:name` and `?` become its own marks.

    What stands in `/*lock ...*/` is for PostgreSQL alone: SQLite, which locks the whole file, reads a comment.
    """
    marked = _NAMED.sub(r"%(\1)s", statement.replace("%", "%%").replace("?", "%s"))
    return unveiled(marked)


@lru_cache(1_024)
def numbered(statement: str) -> bytes:
    """Return a statement whose values come in order as the server itself takes it: each `?` becomes $1, $2, $3..."""
    first, *others = statement.split("?")
    return unveiled(first + "".join(f"${n}{part}" for n, part in enumerate(others, start=1)))


@lru_cache(1_024)
def unveiled(statement: str) -> bytes:
    """Return a statement without values, with what stands in it for PostgreSQL alone."""
    return _LOCK.sub(r"\1", statement).encode()
