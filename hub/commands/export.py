"""`telecentre-hub export`: one month for the observatory, in a new folder, every figure through the gate."""

import gc
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

from hub.cells import TableError
from hub.commands.at_once import at_once
from hub.commands.draft import drafted, stoppable, unstoppable
from hub.commands.options import config_option, in_one_sentence, json_option, now_of, store_of, tell
from hub.config import ReleaseSettings, read_settings
from hub.disclosure import AuditLine, Figure
from hub.judging import AUDIENCES, LateQuestion, Question, Told, first_told, told_anew
from hub.lateness import Basis, decode_basis
from hub.observatory import ALL_SUBJECTS, SUBJECTS, Month, came_in, month_span, next_month, place_of, places_of, used_in
from hub.opening import day_of
from hub.release import FIGURES, METHOD, Edition, MemberZone, Register, ReleaseError, Telecentre, each_row, joined
from hub.release_folder import release_files
from hub.release_method import revision_of
from hub.store import Site, Store, StoreRefusedError, VisitStep, Zone
from hub.store.connection import Connection
from hub.store.publishing import last_heard_ms, pending_before, read_days, read_zones_of
from hub.store.register import Calendar, read_calendars, read_sites
from hub.store.releases import Frozen, put_release, read_release
from hub.store.visit_figures import read_all_visits

MANY_PLACES = 400
"""Below this the gate takes seconds, and a process of its own half a second."""

Asked = TypeVar("Asked", Question, LateQuestion)


def _month(_context: click.Context, _option: click.Parameter, text: str) -> date:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        raise click.BadParameter("a month such as 2026-10")
    return date.fromisoformat(f"{text}-01")


@click.command()
@click.option("--month", required=True, callback=_month, help="Which month, such as 2026-10; it must be over.")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A new folder, such as telecentres-cantal-2026-10.",
)
@click.option("--audience", type=click.Choice(list(AUDIENCES)), default="public", show_default=True)
@config_option
@json_option
@in_one_sentence
def export(month: date, folder: Path, audience: str, config: Path, *, as_json: bool) -> None:
    """Freeze and write the figures of a month that may be published; print how many were hidden and why.

    What was published stays. Late data makes a new revision, if it changes a figure that may be told anew. Stopped
    before its end, nothing is frozen and nothing written.
    """
    store = store_of(config)
    with stoppable(), _uncollected(), drafted(folder) as draft:
        known = _read(store, month, now_of(config), read_settings(config).release)
        try:
            frozen, audits = _first(known) if known.last is None else _later(known, known.last)
        except TableError as error:
            raise ReleaseError(f"{known.month.month} cannot be published: {error}") from error
        files = frozen.files[audience]
        _say(f"writing {folder}")
        draft.write(files)
        with unstoppable():
            if frozen is not known.last:
                _freeze(store, known.month.month, frozen)
            draft.publish()
    shown = sum(1 for row in each_row(files[FIGURES].decode()) if row[6])
    size = sum(map(len, files.values())) / 1_000_000
    is_same = known.last is not None and files == known.last.files[audience]
    # Where late data changed another audience's figures alone, these files are of an older revision.
    revision = revision_of(files[METHOD].decode())
    which = f"{revision} of {known.month.month}{', as an earlier export froze it' if is_same else ''}"
    sentence = f"{folder}: revision {which}, {shown} figures published, {len(files)} files of {size:.1f} MB."
    lines = audits.get(audience, ())
    if lines:
        counts: Counter[str] = Counter()
        for line in lines:
            counts[line.reason] += line.cells
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))
        sentence = f"{sentence} Cells by reason (docs/method.md): {told}"
    answer = {
        "folder": str(folder),
        "revision": revision,
        "is_new": not is_same,
        "is_same": is_same,
        "published": shown,
        "audit": [line._asdict() for line in lines],
    }
    tell(sentence, answer, as_json=as_json)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Run the block without the collector, which would walk again and again through rows that stay to its end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _say(sentence: str) -> None:
    """Tell somebody who waits at a terminal what is done."""
    if sys.stderr.isatty():
        click.echo(f"telecentre-hub: {sentence}", err=True)


class _Known(NamedTuple):
    """What the database holds of a month, in one state of it."""

    telecentres: Sequence[Telecentre]
    later: frozenset[str]
    """The ids of those that were declared after the month."""
    zones: Mapping[str, str]
    """The names of those that had a telecentre on any day of the month, by place."""
    month: Month
    edition: Edition
    last: Frozen | None


def _read(store: Store, month: date, now_ms: int, said: ReleaseSettings) -> _Known:
    """Read all of a month at once: beside a hub that goes on, nothing of it may be of another moment."""
    with store.seen() as connection:
        sites = read_sites(connection)
        if not sites:
            raise ReleaseError("the register holds no telecentre")
        if month_span(month, sites)[1] > now_ms:
            raise ReleaseError(f"{month:%Y-%m} is not over in every telecentre")
        pending = pending_before(connection, next_month(month), month_span(month, sites)[1])
        if pending:
            raise ReleaseError(f"{pending} figures of {month:%Y-%m} are still to be computed: let the hub run a while")
        _say(f"reading {month:%Y-%m} of {len(sites):,} telecentres")
        known = read_month(connection, month, sites, now_ms)
        last = read_release(connection, known.month)
        as_of = _as_of(last_heard_ms(connection), sites)
        last_day = (next_month(month) - timedelta(days=1)).isoformat()
        zones = read_zones_of(connection, month, next_month(month))
        calendars = read_calendars(connection)
    telecentres = _telecentres(sites, calendars, zones[-1], last_day)
    later = frozenset(site for site, calendar in calendars.items() if calendar.since > last_day)
    names = {place_of(zone): zone.name for of_day in zones for zone in of_day}
    revision = 1 if last is None else last.revision + 1
    edition = Edition(known.month, version("telecentre"), as_of, revision, said.licence, said.contact or "")
    return _Known(telecentres, later, names, known, edition, last)


def read_month(connection: Connection, month: date, sites: Sequence[Site], now_ms: int) -> Month:
    """Return all that a release of a month is computed from."""
    name, span, end = f"{month:%Y-%m}", month_span(month, sites), next_month(month)
    places = places_of(sites, read_zones_of(connection, month, end))
    steps: tuple[VisitStep, ...] = ("day", "week", "month")
    came = came_in(name, places, (row for step in steps for row in read_all_visits(connection, step, span, now_ms)))
    rows = {kind: read_days(connection, kind, span, month, end) for kind in SUBJECTS}
    return Month(name, places, used_in(rows), came)


Audits = Mapping[str, Sequence[AuditLine]]


def _first(known: _Known) -> tuple[Frozen, Audits]:
    """Return the first release of a month, for every audience from the same figures."""
    asked = [Question(subject, known.edition, known.month.about(subject)) for subject in ALL_SUBJECTS]
    told = _judged(first_told, asked, known.month)
    register = _register(known, known.month)
    files = {
        audience: release_files(known.edition, register, joined(one[audience].rows for one in told), k)
        for audience, k in AUDIENCES.items()
    }
    audits = {audience: sorted(line for one in told for line in one[audience].audit) for audience in AUDIENCES}
    kept = {audience: frozenset[Figure]() for audience in AUDIENCES}
    return Frozen(known.edition.revision, Basis(known.month, kept).encoded(), files), audits


def _later(known: _Known, last: Frozen) -> tuple[Frozen, Audits]:
    """Return the next revision of a month, or the last one when it tells nothing that is different."""
    basis = decode_basis(last.basis)
    after = basis.later(known.month)
    if after == basis.month:
        return last, {}
    before = {audience: files[FIGURES].decode() for audience, files in last.files.items()}
    asked = [
        LateQuestion(
            subject,
            known.edition,
            basis.month.about(subject),
            after.about(subject),
            before,
            {
                audience: frozenset(one for one in kept if one.subject == subject)
                for audience, kept in basis.kept.items()
            },
        )
        for subject in ALL_SUBJECTS
    ]
    told = _judged(told_anew, asked, after)
    files = dict(last.files)
    for audience, k in AUDIENCES.items():
        if any(one[audience].is_other for one in told):
            rows = joined(one[audience].rows for one in told)
            files[audience] = release_files(known.edition, _register(known, after), rows, k)
    if files == last.files:
        return last, {}
    closed = {audience: frozenset[Figure]().union(*(one[audience].kept for one in told)) for audience in AUDIENCES}
    return Frozen(known.edition.revision, Basis(after, closed).encoded(), files), {}


def _judged(
    work: Callable[[Asked], dict[str, Told]], asked: Sequence[Asked], month: Month
) -> Sequence[Mapping[str, Told]]:
    """Return what the gate lets through of each subject; of many telecentres, they are judged at once."""
    if len(month.places) < MANY_PLACES:
        return [work(one) for one in asked]
    begun_s = time.monotonic()
    _say(f"the gate judges {', '.join(one.subject for one in asked)}: this takes minutes; Ctrl-C leaves all as it was")

    def done(one: Asked) -> None:
        _say(f"{one.subject} judged after {time.monotonic() - begun_s:.0f} s")

    return at_once(work, asked, done)


def _freeze(store: Store, month: str, release: Frozen) -> None:
    """Keep a release for ever.

    Raises:
        ReleaseError: somebody else has published the month meanwhile.
    """
    try:
        with store.changed() as connection:
            put_release(connection, month, release)
    except StoreRefusedError as error:
        raise ReleaseError(f"{month} was published by another export meanwhile: run this one again") from error


def _as_of(heard_ms: int | None, sites: Sequence[Site]) -> str:
    """Return the local day of the last event that anybody sent: the hub's clock would make each export another."""
    return "" if heard_ms is None else day_of(heard_ms, sites[0].zone).isoformat()


def _register(known: _Known, month: Month) -> Register:
    """Return what a release tells of the register; the zones of its figures are as they were in its first revision."""
    zones = [
        MemberZone(place.id, place.level, known.zones.get(place.id, ""), sorted(place.sites))
        for place in month.places
        if place.level != "site"
    ]
    left_out = sorted(known.zones.keys() - {zone.id for zone in zones})
    return Register(known.telecentres, zones, left_out, known.later)


def _telecentres(
    sites: Sequence[Site], calendars: Mapping[str, Calendar], zones: Sequence[Zone], day: str
) -> list[Telecentre]:
    """Return the telecentres as the register has them on a day; its names and positions have no dates."""
    massifs: dict[str, list[str]] = {}
    for zone in zones:
        for member in zone.sites if zone.level == "massif" else ():
            massifs.setdefault(member, []).append(zone.id)
    found = []
    for site in sites:
        calendar = calendars[site.id]
        there = Counter(place.kind for place in calendar.places if place.counts_on(day))
        found.append(
            Telecentre(
                id=site.id,
                nom=site.name,
                code_insee=site.code_insee,
                massif=", ".join(massifs.get(site.id, ())) or None,
                reseau=site.network,
                latitude=site.latitude,
                longitude=site.longitude,
                fuseau=site.time_zone,
                horaires=calendar.opening_hours(day),
                nb_postes=there["desk"],
                nb_salles_visio=there["room"],
                acces_badge="true" if site.doors else "false",
                source=site.network_name,
            )
        )
    return found
