"""What a person reads on the hub's page of what an edge would send."""

from dataclasses import replace

from contract.messages import Report, Status
from edge.core import views
from edge.core.moment import Moment
from edge.core.site import Site
from hub.live import LiveBoard
from hub.routes.cards import Card, card, view_of
from hub.store.rows import Resource
from hub.texts import words
from tests.hub.test_live import MURAT
from tests.support.telecentres import status_of


def screen_of(site: Site, at: Moment) -> Card:
    """Return Murat's card in French, with the site's own resources."""
    desks, rooms, doors = (
        tuple(Resource(name, confidential=False) for name in names) for names in (site.desks, site.rooms, site.doors)
    )
    board = LiveBoard([replace(MURAT, desks=desks, rooms=rooms, doors=doors)])
    board.take_now(views.now_of(site, at), at.wall_ms)
    status = status_of("murat", at=at.wall_ms)
    assert status.report is not None
    report = Report(**{**dict(status.report), "devices": views.devices_of(site, at)})
    board.take_status(Status(site="murat", online=True, report=report), at.wall_ms)
    frame = board.look(at.wall_ms)
    return card(frame.sites["murat"], view_of(frame, words("fr")))
