"""Whether a hub has what a fleet must see in it: has it, has something else, or has only not caught up. Pure.

Who has not caught up may still end with all of it, so that is no difference; a difference no wait would mend.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from simulators.fleet_site import FleetSite

MAX_TOLD = 10
"""Of differences, and of sites that are behind."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A stream of which the hub has another number of events than its site made; figures follow from these."""

    site: str
    stream: str
    expected: int
    found: int
    """When it is fewer than expected: at most, because a hub does not say how many it has lost."""

    def __str__(self) -> str:
        at_most = "at most " if self.found < self.expected else ""
        return f"{self.site}, stream {self.stream}: {at_most}{self.found} events instead of {self.expected}"


def judged(sites: Sequence[FleetSite], waited_s: float) -> dict[str, object]:
    """Return the verdict, `equal`, `different` or `behind`, what it rests on, and one sentence that says it."""
    differences = [each for site in sites for each in _differences(site)]
    late = [site for site in sites if not site.answered or site.committed < site.observed]
    events = sum(max(0, site.observed - site.committed) for site in late)
    # Only the answer to a Hello is the truth: whoever got none does not know.
    silent = sum(not site.answered for site in late)
    verdict = "different" if differences else "behind" if late else "equal"
    if differences:
        more = f", and {len(differences) - 1:,} more" if len(differences) > 1 else ""
        said = f"the hub has something else: {differences[0]}{more}"
    elif late:
        said = (
            f"the hub had not caught up after {waited_s:.0f} s: {events:,} events of {len(late):,} sites behind,"
            f" {silent:,} of which got no answer to their last question"
        )
    else:
        said = "the hub has each event that it must have"
    return {
        "verdict": verdict,
        "said": said,
        "equal": verdict == "equal",
        "different": [asdict(each) for each in differences[:MAX_TOLD]],
        "behind": {
            "events": events,
            "sites": len(late),
            "silent": silent,
            "first": [site.name for site in late][:MAX_TOLD],
        },
        "waited_s": round(waited_s, 1),
    }


def _differences(site: FleetSite) -> Iterator[Difference]:
    for stream in site.streams:
        if stream.position > stream.last or stream.lost:
            found = stream.position if stream.position > stream.last else stream.last - stream.lost
            yield Difference(site.name, stream.name, stream.last, found)
