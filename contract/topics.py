"""MQTT topics as a pair of inverse functions.

>>> topic_for("murat", "up")
'tc/v1/32/murat/up'
>>> parse_topic("tc/v1/32/murat/up")
('murat', 'up')
"""

from typing import Literal, get_args

from contract.identity import BUCKET_COUNT, bucket_of, is_site

Channel = Literal["up", "hello", "now", "status", "ack", "rights", "cmd"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
ROOT = "tc/v1"


class TopicError(ValueError):
    """The topic is not one of ours, or names a site outside its bucket."""


def topic_for(site: str, channel: Channel) -> str:
    """Return the topic of one channel of one site.

    Raises:
        TopicError: `site` is not a site name.
    """
    if not is_site(site):
        raise TopicError(f"not a site name: {site!r}")
    return f"{ROOT}/{bucket_of(site):02x}/{site}/{channel}"


def parse_topic(topic: str) -> tuple[str, Channel]:
    """Return the site and channel of a topic that `topic_for` could have made.

    Raises:
        TopicError: any other topic.
    """
    site, _, name = topic.removeprefix(f"{ROOT}/")[3:].partition("/")
    for channel in CHANNELS:
        if name == channel and is_site(site) and topic_for(site, channel) == topic:
            return site, channel
    raise TopicError(f"not a topic of ours: {topic[:80]!r}")


def hub_topic(bucket: int) -> str:
    """Return the retained topic on which the worker of a bucket names its incarnation."""
    if not 0 <= bucket < BUCKET_COUNT:
        raise TopicError(f"no such bucket: {bucket}")
    return f"{ROOT}/{bucket:02x}/hub"


def all_sites(channel: Channel) -> str:
    """Return the subscription that a hub serving every bucket makes for one channel."""
    return f"{ROOT}/+/+/{channel}"
