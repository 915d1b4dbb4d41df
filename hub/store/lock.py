"""One hub at a time on one database: a lock beside the file, held as long as the hub runs and freed however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.store.connection import StoreDownError


@contextmanager
def claimed(file: Path) -> Iterator[None]:
    """Keep the database for ourselves, against another hub and against a restore; the system frees what dies.

    Raises:
        StoreDownError: a hub runs on this database, or its folder cannot be written.
    """
    lock = file.with_name(file.name + ".lock")
    try:
        lock_fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreDownError(f"{lock}: cannot be written ({error.strerror})") from error
    try:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreDownError(f"{file} is in use by a hub: stop it first (systemctl stop telecentre-hub)") from error
        yield
    finally:
        os.close(lock_fd)
