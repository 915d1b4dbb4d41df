"""The bounds of every message, each with its reason; both sides refuse what exceeds them.

Source: shared protocol TC1 (docs/mqtt-api.md). The broker's `max_packet_size` stands above the largest of them.
"""

MAX_EVENT_BYTES = 2_048
"""One stored event; a larger one is stored as kind `lost` with its size, so that a position is never skipped."""

MAX_BATCH_EVENTS = 200
"""Events in one batch: measured best rate at window 32 without long pauses for other traffic on a rural line."""

MAX_BATCH_BYTES = 65_536
"""A batch before compression, header included; bounds what a decompression may grow to."""

MAX_HELLO_STREAMS = 200
"""Streams in one Hello page; a stream is one agent start, so 200 is months of daily restarts."""

MAX_MESSAGE_BYTES = 196_608
"""Any message of the lanes, compressed or not: the fullest Now takes 162 kB, the fullest Status 154 kB; below every
broker's default packet limit (a test builds them)."""

MAX_RIGHTS_BYTES = 1_048_576
"""A rights snapshot, signed and sealed (retained; travels alone on its topic)."""

MAX_RESOURCES = 500
"""Desks, rooms and doors in one Now document: a telecentre has 4 to 8 desks, a large coworking site some hundreds."""

MAX_DEVICES = 600
"""Devices in one Status document: one or two a desk."""

MAX_RADARS = 100
"""Radars in one Status document: each has a serial port of its own, which one Pi does not have a hundred of."""

MAX_FUTURE_MS = 300_000
"""How far `t` may be ahead of its reception before it is suspect: kept, but out of statistics (5 minutes)."""
