"""The peer of B3: what anybody would write first with nfcpy, one sense loop that prints when a card comes.

Run as a program: `python -m tests.benchmarks.bare_reader PORT INTERVAL_S`. Prints CLOCK_MONOTONIC in seconds, one line
per card.
"""

import sys
import time

import nfc.clf
import nfc.clf.pn532
import nfc.clf.transport


def main(port: str, interval_s: float) -> None:
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
        except OSError:
            continue  # a frame that came late on a busy machine: the next look works
        if target is not None and not present:
            sys.stdout.write(f"{time.monotonic()}\n")
            sys.stdout.flush()
        present = target is not None


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
