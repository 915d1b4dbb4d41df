"""Logs go to standard error, one line each, without a time of their own: journald stamps them."""

import logging
import sys


def log_to_stderr(level: str) -> None:
    """Send all logs of level `level` ("debug", "info", "warning") and above to standard error.

    nfcpy logs the bytes on the wire, badge UIDs among them, below WARNING, and an ERROR for each bad frame, which is
    noise that the reader's thread counts: its logger is held at CRITICAL whatever `level`.
    """
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("nfc").setLevel(logging.CRITICAL)
