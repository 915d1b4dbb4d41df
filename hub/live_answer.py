"""The shape of `GET /api/v1/live`: what is said of each telecentre, desk, room and door."""

from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from contract.events import DeskState, DoorAlarm, DoorState, Fault, RoomState
from contract.messages import DeviceHealth
from hub.live_rights import LiveRights


class LiveDesk(TypedDict):
    """A desk; `since` is empty while the site's clock is not set."""

    id: str
    state: DeskState
    since: str | None


class LiveRoom(TypedDict):
    """A visio room; a confidential one has no `since` and is never more than free or occupied."""

    id: str
    state: RoomState
    since: str | None
    confidential: bool


class LiveDoor(TypedDict):
    """A door, and what is wrong with it."""

    id: str
    state: DoorState
    since: str | None
    alarm: DoorAlarm


class Backlog(TypedDict):
    """What the site still keeps for the hub, and where."""

    depth: int
    oldest_at: str | None
    storage: str
    stream: str | None
    acknowledged_at: str | None
    size_bytes: int
    quota_bytes: int
    refused_count: int
    """Events that a full outbox refused since the agent started."""
    disk_free_bytes: int | None


class LiveDevice(TypedDict):
    """A device that does not work as it should."""

    id: str
    kind: str
    health: DeviceHealth
    fault: Fault | None
    since: str | None


class LiveSite(TypedDict):
    """A telecentre as it is, or as it was last when `online` is false."""

    site_id: str
    name: str
    time_zone: str
    online: bool
    as_of: str | None
    """Until when the states below are known to be true; null: nothing was ever heard."""
    stale_since: str | None
    """The same instant once the site is no longer heard; null while it is, and when it never was."""
    desks: list[LiveDesk]
    rooms: list[LiveRoom]
    doors: list[LiveDoor]
    backlog: Backlog | None
    contested_at: str | None
    """When it last showed that two agents speak for this site; null when they never did."""
    devices_down: list[LiveDevice]
    rights: LiveRights


class LiveAnswer(TypedDict):
    """The answer of `GET /api/v1/live`."""

    generated_at: str
    sites: list[LiveSite]
    unregistered: list[str]
    """Sites that send but are not in the register."""
