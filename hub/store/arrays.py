"""Many rows in one statement of PostgreSQL: column by column as arrays, or as a copy into the table.

One statement then serves any number of rows, so that the server reads and plans it once; and psycopg, which looks at
each value by itself, has a dozen to look at in place of thousands.
"""

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, count, repeat
from types import NoneType

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_INSERT = re.compile(r"insert into (\w+)\s*(\([^)]*\))\s*values \(\?(?:, \?)*\)")

_HEAD = struct.Struct(">iiIii").pack
"""Dimensions, whether a value is null, type of the values, how many, number of the first."""

_OIDS = {"int8": 20, "float8": 701, "text": 25, "bytea": 17}
_LENGTH = struct.Struct(">i").pack
_NUMBER = {"int8": struct.Struct(">iq").pack, "float8": struct.Struct(">id").pack}
_NULL = _LENGTH(-1)

_TYPES = {int: "int8", bool: "int8", float: "float8", str: "text", bytes: "bytea"}
EMPTY = ""
"""Instead of a type, of a column without any value: there is nothing to send of it, and its table knows its type."""


class Column(bytes):
    """An array in PostgreSQL's binary format; the statement says of which type."""

    __slots__ = ()


class ColumnDumper(Dumper):
    """Hands a column on as it is."""

    format = Format.BINARY

    def dump(self, obj: Column) -> bytes:
        """Return what the server takes."""
        return obj


def columns(rows: Sequence[Sequence[object]]) -> tuple[tuple[str, ...], list[Column]]:
    """Return the type of each column of rows, and the values of each that has any.

    Raises:
        psycopg.DataError: a number is larger than any that the database keeps.
        TypeError: a column holds what no column of a table holds together.
    """
    values = list(zip(*rows, strict=True))
    types = tuple(map(_type_of, values))
    try:
        return types, [_packed(name, column) for name, column in zip(types, values, strict=True) if name != EMPTY]
    except struct.error as error:
        raise psycopg.DataError(f"a number is out of range ({error})") from error


def _type_of(values: Sequence[object]) -> str:
    """Return the type of a column; `EMPTY` of one that is empty throughout."""
    kinds = set(map(type, values)) - {NoneType}
    names = {_TYPES.get(kind, kind.__name__) for kind in kinds}
    if names <= {"int8", "float8"}:
        return min(names, default=EMPTY)
    if len(names) > 1 or not names <= _OIDS.keys():
        raise TypeError(f"no column of a table holds {' and '.join(sorted(names))}")
    return names.pop()


def _packed(name: str, values: Sequence[object]) -> Column:
    """Return a column: a head, then each value behind its length."""
    has_null = None in values
    head = _HEAD(1, int(has_null), _OIDS[name], len(values), 1)
    if name == "int8" and not has_null:
        return Column(head + struct.pack(f">{'iq' * len(values)}", *chain.from_iterable(zip(repeat(8), values))))
    if name in _NUMBER:
        pack = _NUMBER[name]
        return Column(head + b"".join([_NULL if value is None else pack(8, value) for value in values]))
    # The rows of a day say a few texts again and again: each is encoded once.
    packed = {value: _behind_length(value) for value in set(values)}
    return Column(head + b"".join(map(packed.__getitem__, values)))


def _behind_length(value: object) -> bytes:
    """Return a text or bytes, or none of either, behind its length."""
    if value is None:
        return _NULL
    encoded = value if isinstance(value, bytes) else str(value).encode()
    return _LENGTH(len(encoded)) + encoded


@lru_cache(256)
def from_arrays(statement: str, types: tuple[str, ...]) -> bytes:
    """Return a statement that inserts one row of marks (`?`) as one that inserts the rows of so many arrays."""
    marks = count(1)
    # Of a bare null, the server takes the type from the table's column. Taken apart in the list of values, arrays go on
    # step by step; behind `from`, each would be written down whole before the first row: a fifth to a half longer.
    values = ", ".join("null" if name == EMPTY else f"unnest(${next(marks)}::{name}[])" for name in types)
    return _INSERT.sub(rf"insert into \1 \2 select {values}", statement).encode()


@lru_cache(256)
def as_copy(statement: str) -> bytes:
    """Return what begins a copy into the columns that a statement inserts into."""
    return _INSERT.sub(r"copy \1 \2 from stdin\0", statement).partition("\0")[0].encode()
