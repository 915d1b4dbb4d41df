import binascii
import doctest
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contract import topics
from contract.identity import BUCKET_COUNT, bucket_of, is_site
from contract.topics import CHANNELS, TopicError, all_sites, hub_topic, parse_topic, topic_for

SITES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True).filter(lambda site: site != "hub")


@given(SITES, st.sampled_from(CHANNELS))
def test_a_topic_is_parsed_into_what_it_was_made_of(site: str, channel: topics.Channel) -> None:
    assert parse_topic(topic_for(site, channel)) == (site, channel)


@given(SITES)
def test_the_bucket_is_the_crc_of_the_name_modulo_64(site: str) -> None:
    assert bucket_of(site) == binascii.crc32(site.encode()) % 64


def test_buckets_are_what_other_programs_compute() -> None:
    """Source: gzip's trailer: printf murat | gzip -c | tail -c8 | head -c4 | od -An -tx4."""
    assert [bucket_of(site) for site in ("murat", "a")] == [0x32, 0x03]


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_other_topic_is_refused(text: str) -> None:
    assume(not text.startswith("tc/v1/"))
    with pytest.raises(TopicError):
        parse_topic(text)


@pytest.mark.parametrize(
    "topic",
    [
        "tc/v1/32/murat",
        "tc/v1/32/murat/",
        "tc/v1/32/murat/up/",
        "tc/v1/32/murat/sideways",
        "tc/v1/33/murat/up",
        "tc/v1/32/Murat/up",
        "tc/v1/3/murat/up",
        "tc/v1//murat/up",
        "tc/v2/32/murat/up",
        "tc/v1/32/murat/up\n",
        "tc/v1/+/+/up",
        "tc/v1/32/hub",
        f"{topics.ROOT}/{bucket_of('hub'):02x}/hub/up",
    ],
)
def test_a_topic_that_is_nearly_ours_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        parse_topic(topic)


@pytest.mark.parametrize("site", ["", "hub", "Murat", "-murat", "a" * 41, "mu/rat", "mu+rat", "#", "murat\n", "né"])
def test_what_is_no_site_name_has_no_topic(site: str) -> None:
    assert not is_site(site)
    with pytest.raises(TopicError):
        topic_for(site, "up")


def test_every_bucket_has_its_hub_topic_which_is_no_site_topic() -> None:
    assert len({hub_topic(bucket) for bucket in range(BUCKET_COUNT)}) == BUCKET_COUNT
    assert hub_topic(bucket_of("murat")) == "tc/v1/32/hub"
    with pytest.raises(TopicError):
        parse_topic(hub_topic(0))


@pytest.mark.parametrize("bucket", [-1, 64])
def test_there_are_64_buckets(bucket: int) -> None:
    with pytest.raises(TopicError):
        hub_topic(bucket)


@given(SITES, st.sampled_from(CHANNELS))
def test_the_subscription_of_all_sites_covers_each_of_them(site: str, channel: topics.Channel) -> None:
    wanted, topic = all_sites(channel).split("/"), topic_for(site, channel).split("/")
    assert len(wanted) == len(topic)
    assert all(level in ("+", name) for level, name in zip(wanted, topic, strict=True))


def test_the_examples_in_the_documentation_are_true() -> None:
    assert doctest.testmod(topics).failed == 0
