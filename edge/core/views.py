"""What is shown of a site: the snapshot for the live board and the health of its devices."""

from contract.limits import MAX_RADARS
from contract.messages import DeskNow, DeviceStatus, DoorNow, Now, RadarStatus, RightsStatus, RoomNow
from edge.core import health
from edge.core.moment import Moment
from edge.core.site import Site


def now_of(site: Site, at: Moment) -> Now:
    """Return the snapshot of the site at `at`; confidential rooms are already reduced."""
    return Now(
        site=site.plan.site,
        as_of=at.wall_ms,
        clock=at.clock,
        desks=[DeskNow(id=name, state=desk.state, since=_since(desk.since, at)) for name, desk in site.desks.items()],
        rooms=[RoomNow(id=name, state=room.state, since=_since(room.since, at)) for name, room in site.rooms.items()],
        doors=[
            DoorNow(id=name, state=leaf.state, alarm=leaf.alarm, since=_since(leaf.since, at))
            for name, leaf in site.doors.items()
        ],
    )


def devices_of(site: Site, at: Moment) -> list[DeviceStatus]:
    """Return the health of every device, in the order of the settings."""
    return [health.status(device, name, _since(health.shown(device)[1], at)) for name, device in site.devices.items()]


def radars_of(site: Site) -> list[RadarStatus]:
    """Return what each radar has said of itself, in the order of the settings."""
    said = (health.radar_status(device, name) for name, device in site.devices.items())
    return [radar for radar in said if radar is not None][:MAX_RADARS]


def rights_of(site: Site, at: Moment) -> RightsStatus:
    """Return which list of rights decides at the door."""
    return RightsStatus(
        version=site.rights.version,
        issued_at=site.rights.issued_at_ms,
        expires_at=site.rights.expires_at_ms,
        credentials=len(site.rights.credentials) + len(site.rights.badges),
        trusted_at=None if site.trusted is None else site.trusted.now_ms(at),
    )


def _since(moment: Moment, at: Moment) -> int | None:
    """Return when a moment was, by the clock of `at`: right even if the clock was set in between."""
    return at.moved_to(moment.mono_s).wall_ms if at.clock != "unsynced" else None
