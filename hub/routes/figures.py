"""Occupancy figures that can be defended: pooled time, coverage beside each rate, and no rate without measure. Pure."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from hub.statistics import Status, status
from hub.store import OccupancyRow


@dataclass(frozen=True)
class Figure:
    """One or more resources over one period: times in milliseconds, pooled, never averaged."""

    site: str
    resource: str | None
    start_ms: int
    end_ms: int
    resources: int
    available_ms: int
    observed_ms: int
    occupied_ms: int

    @property
    def coverage(self) -> float | None:
        """Observed over available, 0 to 1; None when the site was closed."""
        return self.observed_ms / self.available_ms if self.available_ms else None

    @property
    def status(self) -> Status:
        """What the coverage allows."""
        return status(self.available_ms, self.observed_ms)

    @property
    def rate(self) -> float | None:
        """Occupied over observed, 0 to 1; None when the status is `M`: what nobody saw is not zero."""
        return None if self.status == "M" else self.occupied_ms / self.observed_ms


def pooled(rows: Iterable[OccupancyRow], key: Callable[[OccupancyRow], Hashable]) -> list[Figure]:
    """Return one figure for each value of `key`, in order of first appearance: numerators and denominators summed."""
    groups: dict[Hashable, list[OccupancyRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [_figure(group) for group in groups.values()]


def _figure(rows: list[OccupancyRow]) -> Figure:
    resources = {(row.site, row.resource) for row in rows}
    return Figure(
        site=rows[0].site,
        resource=rows[0].resource if len(resources) == 1 else None,
        start_ms=min(row.start_ms for row in rows),
        end_ms=max(row.end_ms for row in rows),
        resources=len(resources),
        available_ms=sum(row.available_ms for row in rows),
        observed_ms=sum(row.observed_ms for row in rows),
        occupied_ms=sum(row.occupied_ms for row in rows),
    )


def by_resource(row: OccupancyRow) -> Hashable:
    """Keep each resource and period apart."""
    return row.site, row.resource, row.start_ms


def by_site(row: OccupancyRow) -> Hashable:
    """Pool the resources of a site, period by period."""
    return row.site, row.start_ms


def total(figures: Iterable[Figure | None]) -> Figure | None:
    """Return several figures as one: times summed, so that a short day weighs no more than it lasted."""
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    return Figure(
        site=known[0].site,
        resource=None,
        start_ms=min(figure.start_ms for figure in known),
        end_ms=max(figure.end_ms for figure in known),
        resources=max(figure.resources for figure in known),
        available_ms=sum(figure.available_ms for figure in known),
        observed_ms=sum(figure.observed_ms for figure in known),
        occupied_ms=sum(figure.occupied_ms for figure in known),
    )
