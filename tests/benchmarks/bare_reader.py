"""The peer of B3: what anybody would write first with nfcpy, one sense loop that prints when a card comes.

Run as a program: `python -m tests.benchmarks.bare_reader PORT INTERVAL_S [BADGE KEY]`. Prints CLOCK_MONOTONIC in
seconds, one line per card; with a badge and its key in hexadecimal, once the card has proved to be that badge.
"""

import secrets
import sys
import time

import nfc.clf
import nfc.clf.pn532
import nfc.clf.transport
import nfc.tag

from edge.protocols.secured_badge import prove


def is_proved(frontend: nfc.clf.ContactlessFrontend, target: nfc.clf.RemoteTarget, badge: bytes, key: bytes) -> bool:
    """Return whether the card proves to be the badge: nfcpy's activation, then the agent's four commands."""
    tag = nfc.tag.activate(frontend, target)
    if tag is None:
        return False
    talk = prove({badge: key}, lambda: secrets.token_bytes(16))
    command = next(talk)
    while True:
        try:
            command = talk.send(bytes(tag.transceive(command)))
        except StopIteration as end:
            return bool(end.value.badge == badge)


def main(port: str, interval_s: float, badge: bytes, key: bytes) -> None:
    """Sense for ever; the parent ends it."""
    frontend = nfc.clf.ContactlessFrontend()
    frontend.device = nfc.clf.pn532.init(nfc.clf.transport.TTY(port))
    frontend.device._path = port  # nfcpy sets it in its own search, which knows no ptys
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    present = False
    while True:
        time.sleep(interval_s)
        try:
            target = frontend.sense(nfc.clf.RemoteTarget("106A"))
            if target is not None and not present:
                if badge and not is_proved(frontend, target, badge, key):
                    continue
                sys.stdout.write(f"{time.monotonic()}\n")
                sys.stdout.flush()
        except (OSError, nfc.clf.Error, nfc.tag.TagCommandError):
            continue  # a frame that came late on a busy machine: the next look works
        present = target is not None


if __name__ == "__main__":
    given = [bytes.fromhex(word) for word in sys.argv[3:]]
    main(sys.argv[1], float(sys.argv[2]), *(given or (b"", b"")))
