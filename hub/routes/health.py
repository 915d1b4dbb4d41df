"""`/healthz`, `/readyz`, `/metrics`: what machines ask of the hub."""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import get_args

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from hub.alarms import GRADES, Reason
from hub.live_answer import LiveAnswer
from hub.routes.attention import points
from hub.routes.context import Context, Hub
from hub.store import StoreDownError
from hub.store.rows import REFUSED
from hub.texts import words

logger = logging.getLogger(__name__)

router = APIRouter(tags=["health"])

Sample = tuple[dict[str, str], float]
TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' exposition format."""


@router.get("/healthz", summary="Whether the web part runs", responses={503: {"description": "It does not."}})
async def healthz(hub: Hub) -> JSONResponse:
    """Return 200 while the live stream beats, 503 once it does not: then only a restart helps."""
    return JSONResponse({"alive": hub.stream.alive}, 200 if hub.stream.alive else 503)


@router.get("/readyz", summary="Whether history is being taken", responses={503: {"description": "It is not."}})
async def readyz(hub: Hub) -> JSONResponse:
    """Return 200 while the broker is there and the database takes what comes, 503 with what is missing else."""
    health = hub.health()
    ready = health.ready and hub.stream.alive
    parts = {"broker_connected": health.broker_connected, "database_open": health.database_open}
    return JSONResponse({"ready": ready, **parts}, 200 if ready else 503)


@router.get("/metrics", summary="Counters and gauges for Prometheus", response_class=Response)
def metrics(hub: Hub) -> Response:
    """Return what is counted, in Prometheus' text format."""
    lines = [*_of_ingest(hub), *_of_store(hub), *_of_board(hub.board.snapshot(hub.wall_ms())), *_of_people(hub)]
    return Response("\n".join(lines) + "\n", media_type=TEXT)


def family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> list[str]:
    """Return one metric family: its help, its type, its samples."""
    head = [f"# HELP telecentre_{name} {meaning}", f"# TYPE telecentre_{name} {kind}"]
    return [*head, *(f"telecentre_{name}{_labels(labels)} {value:.15g}" for labels, value in samples)]


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    escaped = (
        (key, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for key, value in labels.items()
    )
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped) + "}"


def _one(name: str, kind: str, meaning: str, value: float) -> list[str]:
    return family(name, kind, meaning, [({}, value)])


def _of_ingest(hub: Context) -> list[str]:
    health = hub.health()
    committed_s = (health.committed_at_ms or 0) / 1000
    dropped: list[Sample] = [({"reason": key}, value) for key, value in health.messages_dropped.items()]
    return [
        *_one("broker_connected", "gauge", "1 while the ingest is connected to the broker.", health.broker_connected),
        *_one("database_open", "gauge", "1 while the ingest's database takes what comes.", health.database_open),
        *_one("ingest_queue_depth", "gauge", "Messages received and not yet committed.", health.queue_depth),
        *_one("ingest_messages_total", "counter", "Messages received since the start.", health.messages),
        *_one("ingest_events_total", "counter", "Events stored since the start.", health.events_stored),
        *_one("ingest_refused_total", "counter", "Messages refused since the start.", health.messages_refused),
        *family("ingest_dropped_total", "counter", "Messages dropped for want of room; sent again.", dropped),
        *_one("database_failures_total", "counter", "Failed transactions since the start.", health.database_failures),
        *_one("broker_reconnections_total", "counter", "Connections lost and made again.", health.broker_reconnections),
        *_one("committed_timestamp_seconds", "gauge", "When the last commit ended; 0 before it.", committed_s),
    ]


def _of_store(hub: Context) -> list[str]:
    """Return what the database holds; nothing while it is away, and no zeros instead: `telecentre_attention` tells."""
    if hub.health().database_away is not None:
        return []  # it is asked every few seconds: of one that says nothing, each question would keep a thread
    try:
        totals = hub.store.totals()
    except StoreDownError as error:
        hub.board.take_database(hub.wall_ms())
        logger.warning("database=down metrics=without_store reason=%r", str(error))
        return []
    alarms: Counter[str] = Counter()
    for alarm in totals.alarms:
        alarms[alarm.reason] += alarm.times
    refused = [
        ({"why": reason.removeprefix(REFUSED)}, times) for reason, times in alarms.items() if reason.startswith(REFUSED)
    ]
    return [
        *_one("events", "gauge", "Events in the database, each once.", totals.events),
        *_one("quarantined", "gauge", "Lines kept apart because they could not be read.", totals.quarantined),
        *_one("gaps", "gauge", "Recorded losses: positions that no edge holds any more.", len(totals.gaps)),
        *_one("dirty_days", "gauge", "Local days whose figures are still to be computed.", totals.dirty),
        *family("alarms", "gauge", "What went wrong, by reason.", [({"reason": k}, v) for k, v in alarms.items()]),
        *family("refused", "gauge", "Messages refused as a whole, ever, by why.", refused),
    ]


def _of_board(answer: LiveAnswer) -> list[str]:
    sites = answer["sites"]
    heard = [site for site in sites if site["online"]]
    desks = Counter(desk["state"] if site["online"] else "unknown" for site in sites for desk in site["desks"])
    doors = Counter(door["alarm"] for site in heard for door in site["doors"])
    backlog = [({"site": site["site_id"]}, site["backlog"]["depth"]) for site in heard if site["backlog"]]
    down = [({"site": site["site_id"]}, len(site["devices_down"])) for site in heard]
    return [
        *_one("sites", "gauge", "Telecentres in the register.", len(sites)),
        *_one("sites_online", "gauge", "Telecentres that are heard.", len(heard)),
        *_one("sites_unregistered", "gauge", "Senders that are not in the register.", len(answer["unregistered"])),
        *family(
            "desks", "gauge", "Desks by state; of silent sites unknown.", [({"state": k}, v) for k, v in desks.items()]
        ),
        *family("doors", "gauge", "Doors of heard sites by alarm.", [({"alarm": k}, v) for k, v in doors.items()]),
        *family("site_backlog_events", "gauge", "Events that a site has not yet handed over.", backlog),
        *family("site_devices_down", "gauge", "Devices of a site that do not work.", down),
    ]


def _of_people(hub: Context) -> list[str]:
    """Who watches, and what waits for somebody: every reason that the board knows, also those it does not tell now."""
    told = Counter((point.reason, point.grade) for point in points(hub.board.look(hub.wall_ms()), words("en")))
    quiet = [(reason, GRADES.get(reason, "notice")) for reason in get_args(Reason)]
    samples: list[Sample] = [
        ({"reason": reason, "grade": grade}, told[reason, grade]) for reason, grade in dict.fromkeys([*quiet, *told])
    ]
    return [
        *family("attention", "gauge", "What needs a person now, by reason, as the board tells it.", samples),
        *_one("watchers", "gauge", "Open live streams.", hub.stream.watchers),
    ]
