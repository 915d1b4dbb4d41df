"""Logs go to standard error, one line each, without a time of their own: journald stamps them."""

import logging
import sys


def log_to_stderr(level: str) -> None:
    """Send all logs of level `level` ("debug", "info", "warning") and above to standard error.

    nfcpy logs the bytes on the wire, badge UIDs among them, below WARNING, and an ERROR for each bad frame, which is
    noise that the reader's thread counts: nothing of it but CRITICAL is written, whatever `level`. A filter holds it,
    not its logger's level: nfcpy sets that itself when it is imported, which is later.
    """
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(levelname)s %(name)s %(message)s", force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_may_be_written)


def _may_be_written(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.CRITICAL or record.name.partition(".")[0] != "nfc"
