"""A small site for tests of decisions: one door and its reader, one desk, one room."""

from zoneinfo import ZoneInfo

from edge.core.door import DoorRules
from edge.core.occupancy import PresenceRules
from edge.core.plan import Plan
from edge.core.reader import ReaderRules
from edge.core.room import RoomRules

PLAN = Plan(
    site="murat",
    zone=ZoneInfo("Europe/Paris"),
    uid_badges=True,
    reader_rules=ReaderRules(),
    alive_interval_s=300.0,
    doors={"door-01": DoorRules("door-01", pulse_s=4.0, held_open_s=30.0, contact=True)},
    readers={"reader-01": "door-01"},
    desks={"desk-01": PresenceRules(("desk-01-pin",), settle_s=2.0, hold_s=10.0)},
    rooms={
        "room-01": RoomRules(
            "room-01",
            PresenceRules(("room-01-radar",), settle_s=2.0, hold_s=10.0),
            ghost_after_s=600.0,
            bookings_kept_s=3600.0,
            bookings="room-01-bookings",
            display="room-01-display",
        )
    },
    devices={"door-01": "door", "reader-01": "reader", "desk-01-pin": "pin", "room-01-radar": "radar"}
    | {"room-01-bookings": "bookings", "room-01-display": "samsung-mdc"},
)
