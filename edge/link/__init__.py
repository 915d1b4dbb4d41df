"""The link to the hub: `link` says what is due on both lanes, `connection` is one MQTT connection."""

from edge.link.commands import Commands
from edge.link.link import Link, Orders

__all__ = ["Commands", "Link", "Orders"]
