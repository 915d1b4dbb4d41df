"""Searching all that a run leaves behind for what must be nowhere: a badge's number or key, in any usual form."""

import base64
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

SHORT = 4
"""Raw bytes of this length turn up by chance in megabytes of others: such a number is searched for in writing alone."""


def forms_of(secret: bytes) -> set[bytes]:
    """Return how a number or key may be written: hexadecimal, decimal, base64, as Python shows it; both ways round.

    In lower case: what is searched is folded too.
    """
    forms: set[bytes] = set()
    for way in (secret, secret[::-1]):
        written = [way.hex(between) for between in (":", " ", "-", ",")]
        written += [", ".join(f"0x{byte:02x}" for byte in way), ", ".join(map(str, way)), repr(way)[2:-1]]
        written += [way.hex(), str(int.from_bytes(way, "big"))]
        # At each of the three places where it may begin, without the signs that its neighbours touch.
        for before in range(3):
            whole = (bytes(before) + way)[: (before + len(way)) // 3 * 3]
            written.append(base64.b64encode(whole).decode()[-(-before * 8 // 6) :])
        forms |= {form.lower().encode() for form in written if len(form) > SHORT + 1}
        forms |= {base64.b64encode(way).rstrip(b"=").lower(), base64.urlsafe_b64encode(way).rstrip(b"=").lower()}
    return forms


class Search:
    """Looks for secrets by their names."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        self._raw = {name: secret for name, secret in secrets.items() if len(secret) > SHORT}
        self._written = {name: forms_of(secret) for name, secret in secrets.items()}

    def found_in(self, content: bytes) -> set[str]:
        """Return the names of the secrets that are in some bytes, or in what these are when inflated."""
        found: set[str] = set()
        for part in (content, *_inflated(content)):
            folded = part.lower()
            found |= {name for name, secret in self._raw.items() if secret in part or secret[::-1] in part}
            found |= {name for name, forms in self._written.items() if any(form in folded for form in forms)}
        return found


def everything_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a folder, and every value in every row of its databases, each with where it is."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield str(path.relative_to(folder)), content
        if content.startswith(b"SQLite format 3\0"):
            yield from _rows(path, str(path.relative_to(folder)))


def _rows(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'select * from "{table.decode()}"')  # noqa: S608 - the table's own name
            yield f"{name}: {table.decode()}", b"\n".join(_values(rows))
            blobs = connection.execute(f'select * from "{table.decode()}"')  # noqa: S608
            for value in _values(blobs):
                if value.startswith(b"\x78"):  # a zlib stream
                    yield f"{name}: {table.decode()}, a value", value


def _values(rows: Iterable[tuple[object, ...]]) -> Iterator[bytes]:
    for row in rows:
        for value in row:
            yield value if isinstance(value, bytes) else str(value).encode()


def _inflated(content: bytes) -> tuple[bytes, ...]:
    try:
        return (zlib.decompress(content),)
    except zlib.error:
        return ()
