"""What the comparisons come to: how many figures, how many differ, and the first that do. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_TOLD = 20
"""Differences that are told: who finds out why needs the first few."""


class Difference(NamedTuple):
    """A figure that the hub gives and the truth does not bear out."""

    what: str
    """`occupancy hour room`, `indicators month desk zone`: which question."""
    place: str
    begin: str
    name: str
    truth: object
    hub: object

    def sentence(self) -> str:
        """Return it in words."""
        where = f"{self.what}, {self.place}, {self.begin}"
        return f"different: {where}: {self.name} is {self.truth!r}, the hub says {self.hub!r}"


@dataclass(slots=True)
class Tally:
    """Counts by question and name of figure."""

    compared: dict[tuple[str, str], int] = field(default_factory=dict)
    differing: dict[tuple[str, str], int] = field(default_factory=dict)
    first: list[Difference] = field(default_factory=list)
    released: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Figures of releases by audience that have a value, and that are confidential."""
    missing: list[str] = field(default_factory=list)
    """Questions that this hub does not answer."""

    def compare(self, what: str, place: str, begin: str, truth: dict[str, object], hub: dict[str, object]) -> None:
        """Compare every figure of the truth with the hub's, to the last digit."""
        for name, value in truth.items():
            key = (what, name)
            self.compared[key] = self.compared.get(key, 0) + 1
            found = hub.get(name, "missing")
            if found != value:
                self.differing[key] = self.differing.get(key, 0) + 1
                if len(self.first) < MAX_TOLD:
                    self.first.append(Difference(what, place, begin, name, value, found))

    def lack(self, question: str) -> None:
        """Note that the hub knows no such question."""
        if question not in self.missing:
            self.missing.append(question)

    def table(self) -> list[str]:
        """Return the comparisons as lines of a table."""
        rows = [("figures", "figure", "compared", "different")]
        rows += [
            (what, name, f"{count:,}", f"{self.differing.get((what, name), 0):,}")
            for (what, name), count in self.compared.items()
        ]
        widths = [max(len(row[n]) for row in rows) for n in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip() for a, b, c, d in rows
        ]
        lines += [one.sentence() for one in self.first]
        return lines + [f"not answered by this hub: {what}" for what in self.missing]

    def told(self) -> dict[str, object]:
        """Return the sums."""
        return {
            "compared": sum(self.compared.values()),
            "different": sum(self.differing.values()),
            "released": {" ".join(key): count for key, count in sorted(self.released.items())},
            "not_answered": self.missing,
            "equal": not self.differing and not self.missing and bool(self.compared),
        }
