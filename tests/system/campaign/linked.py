"""An edge in the test's own process: outbox and link as shipped, and a clock that the test sets."""

from random import Random

from contract.messages import Now, Report, RightsStatus
from edge.config import LinkSettings
from edge.link import Link
from tests.support.outbox_agent import Agent
from tests.system.campaign.edge import KEEPALIVE_S


def linked(agent: Agent, site: str, port: int) -> Link:
    """Return the link of an agent, not started."""

    def report() -> Report:
        rights = RightsStatus(version=0, issued_at=None, expires_at=None, credentials=0)
        return Report(
            version="campaign",
            boot="b" * 32,
            started_at=agent.wall_ms,
            at=agent.wall_ms,
            clock="synced",
            outbox=agent.outbox.status(),
            rights=rights,
            devices=[],
        )

    return Link(
        LinkSettings(port=port, hello_spread_s=0.2, keepalive_s=KEEPALIVE_S),
        site,
        agent.outbox,
        now=lambda: Now(site=site, as_of=agent.wall_ms, clock="synced", desks=[], rooms=[], doors=[]),
        report=report,
        random=Random(1),
        on_crash=agent.crashes.append,
    )


def is_drained(agent: Agent, link: Link) -> bool:
    """Return whether the hub has everything."""
    return link.online and agent.outbox.status().depth == 0
