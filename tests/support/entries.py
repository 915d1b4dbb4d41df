"""Who badged at which door, as a telecentre's history has it: for the counts of persons and of doors."""

from contract.events import (
    Access,
    AccessDecided,
    AccessReason,
    Door,
    DoorAlarm,
    DoorStateChanged,
    EdgeAlive,
    Event,
    Nothing,
    encode,
)
from contract.messages import BatchHeader
from hub.receiver import Batch
from hub.store import Store

ADA, BEA = "k7q2m9x4", "p3d8w6ra"

Tap = tuple[int, str | None, AccessReason]
"""When, whose badge, and what was decided."""


def put_taps(
    store: Store, site: str, taps: list[Tap], *, until: int, alarms: tuple[tuple[int, DoorAlarm], ...] = ()
) -> None:
    """Store a site's decisions and the alarms of its one door, in order of time; a last sign of life at `until`."""
    begin = min([at for at, *_ in taps] + [at for at, _ in alarms])
    events: list[Event] = [
        AccessDecided(
            subject="reader-01",
            value=Access(door="door-01", reason=reason, assurance="secured"),
            t=at,
            clock="synced",
            up=at - begin,
        )
        for at, _, reason in taps
    ]
    events += [
        DoorStateChanged(subject="door-01", value=Door(state="open", alarm=alarm), t=at, clock="synced", up=at - begin)
        for at, alarm in alarms
    ]
    events.append(EdgeAlive(subject="agent", value=Nothing(), t=until, clock="synced", up=until - begin))
    persons = {seq: person for seq, (_, person, _) in enumerate(taps, start=1) if person is not None}
    header = BatchHeader(
        site=site, stream="7" * 32, boot="d" * 32, first=1, n=len(events), sent_at=until, persons=persons
    )
    writer = store.writer()
    with writer.transaction():
        writer.receive(Batch(header, [encode(event) for event in events]), until)
        writer.settle_sites({site})
    for settle in (writer.settle_slice, writer.settle_visits, writer.settle_zone):
        pending = True
        while pending:
            with writer.transaction():
                pending = settle()
    writer.close()
