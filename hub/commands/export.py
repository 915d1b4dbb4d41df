"""`telecentre-hub export`: one month for the observatory, in a new folder, every figure through the gate."""

import gc
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from importlib.metadata import version
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import click

from hub.cells import Table
from hub.commands.options import config_option, in_one_sentence, json_option, now_of, store_of, tell
from hub.disclosure import AGREEMENT_K, PUBLIC_K, AuditLine, Figure, Release, by_subject, disclose_to, revise, together
from hub.lateness import Basis, decode_basis, had_nothing, late_table
from hub.observatory import Month, came_in, month_span, month_table, next_month, places_of, used_in
from hub.opening import day_of
from hub.release import (
    FIGURES,
    Edition,
    ReleaseError,
    Telecentre,
    figure_rows,
    merged,
    read_rows,
    release_files,
    told_in,
)
from hub.store import Kind, Site, Store, VisitStep
from hub.store.releases import Frozen, put_release, read_release
from hub.store.visits import is_pending, zone_is_pending

MANY_CELLS = 100_000
"""Of some hundred telecentres: below this the gate takes seconds, and a process of its own half a second."""

AUDIENCES = {"public": PUBLIC_K, "agreement": AGREEMENT_K}


def _month(_context: click.Context, _option: click.Parameter, text: str) -> date:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        raise click.BadParameter("a month such as 2026-10")
    return date.fromisoformat(f"{text}-01")


@click.command()
@click.option("--month", required=True, callback=_month, help="Which month, such as 2026-10; it must be over.")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="A folder that is not there yet.")
@click.option("--audience", type=click.Choice(list(AUDIENCES)), default="public", show_default=True)
@config_option
@json_option
@in_one_sentence
def export(month: date, folder: Path, audience: str, config: Path, *, as_json: bool) -> None:
    """Freeze and write the figures of a month that may be published; print how many were hidden and why.

    What was published stays. Late data makes a new revision, if it changes a figure that may be told anew.
    """
    store = store_of(config)
    if os.path.lexists(folder):
        raise ReleaseError(f"{folder} is there already: a release is never written over")
    sites = store.sites()
    if not sites:
        raise ReleaseError("the register holds no telecentre")
    if month_span(month, sites)[1] > now_of(config):
        raise ReleaseError(f"{month:%Y-%m} is not over in every telecentre")
    _refuse_pending(store)
    now = _read_month(store, month, sites)
    with store.seen() as connection:
        last = read_release(connection, now.month)
    version_, as_of = version("telecentre"), _as_of(store.last_heard_ms(), sites)
    edition = Edition(now.month, version_, as_of, 1 if last is None else last.revision + 1)
    frozen, audit = _first(now, edition, sites) if last is None else _later(now, edition, sites, last)
    if frozen is not last:
        with store.changed() as connection:
            put_release(connection, now.month, frozen)
    files = frozen.files[audience]
    _write(folder, files)
    rows = read_rows(files[FIGURES])
    shown = sum(1 for row in rows if row[6])
    sentence = f"{folder}: revision {frozen.revision} of {now.month}, {shown} figures published."
    lines = audit.get(audience, ())
    if lines:
        counts: Counter[str] = Counter()
        for line in lines:
            counts[line.reason] += line.cells
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))
        sentence = f"{sentence} Cells by reason (docs/method.md): {told}"
    answer = {
        "folder": str(folder),
        "revision": frozen.revision,
        "is_new": frozen is not last,
        "published": shown,
        "audit": [line._asdict() for line in lines],
    }
    tell(sentence, answer, as_json=as_json)


Audits = Mapping[str, Sequence[AuditLine]]


def _refuse_pending(store: Store) -> None:
    pending = store.totals().dirty
    if pending:
        raise ReleaseError(f"{pending} figures are still to be computed: let the hub run until `status` says none")
    with store.seen() as connection:
        if is_pending(connection) or zone_is_pending(connection):
            raise ReleaseError("visits are still to be counted: let the hub run for some minutes")


def _read_month(store: Store, month: date, sites: Sequence[Site]) -> Month:
    start, end = month_span(month, sites)
    days = (next_month(month) - month).days
    places = places_of(sites, [store.zones(month + timedelta(days=number)) for number in range(days)])
    asked = [None, *(f"zone:{place.id.removeprefix('zone:')}" for place in places if place.level != "site")]
    steps: tuple[VisitStep, ...] = ("day", "week", "month")
    came = [row for place in asked for step in steps for row in store.visits(place, step, start, end)]
    kinds: tuple[Kind, ...] = ("desk", "room")
    rows = {kind: store.occupancy(None, kind, "day", start, end) for kind in kinds}
    sessions = {kind: [one for site in sites for one in store.sessions(site.id, kind, start, end)] for kind in kinds}
    name = f"{month:%Y-%m}"
    return Month(name, places, used_in(name, sites, rows, sessions), came_in(name, came))


def _first(now: Month, edition: Edition, sites: Sequence[Site]) -> tuple[Frozen, Audits]:
    """Return the first release of a month, for every audience from the same figures."""
    table, facts = month_table(now)
    levels = {place.id: place.level for place in table.places}
    releases = _judged(table)
    telecentres = [_telecentre(site) for site in sites]
    files = {
        audience: release_files(edition, telecentres, figure_rows(edition, levels, facts, releases[k].verdicts), k)
        for audience, k in AUDIENCES.items()
    }
    kept = {audience: frozenset[Figure]() for audience in AUDIENCES}
    frozen = Frozen(edition.revision, Basis(now, kept).encoded(), files)
    return frozen, {audience: releases[k].audit for audience, k in AUDIENCES.items()}


def _judged(table: Table) -> dict[int, Release]:
    """Return what the gate lets through for each audience; of many telecentres, its subjects are judged at once."""
    thresholds = list(AUDIENCES.values())
    if len(table.cells) < MANY_CELLS:
        return disclose_to(table, thresholds)
    # Processes that begin anew, so that none inherits a connection; the collector would walk what is kept to the end.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=gc.disable) as pool:
        found = list(pool.map(disclose_to, by_subject(table), repeat(thresholds)))
    return {k: together([releases[k] for releases in found]) for k in thresholds}


def _later(now: Month, edition: Edition, sites: Sequence[Site], last: Frozen) -> tuple[Frozen, Audits]:
    """Return the next revision of a month, or the last one when it tells nothing that is different."""
    basis = decode_basis(last.basis)
    after = basis.later(now)
    if after == basis.month:
        return last, {}
    table, facts = month_table(after)
    levels = {place.id: place.level for place in table.places}
    nothing = had_nothing(basis.month)
    late = _judged(late_table(basis.month, after))
    files, kept = dict(last.files), {}
    for audience, k in AUDIENCES.items():
        before = read_rows(last.files[audience][FIGURES])
        revision = revise(table, late[k], told_in(before) | nothing, basis.kept[audience])
        kept[audience] = revision.kept
        rows = merged(before, figure_rows(edition, levels, facts, revision.verdicts))
        if rows != before:
            files[audience] = release_files(edition, [_telecentre(site) for site in sites], rows, k)
    if files == last.files:
        return last, {}
    return Frozen(edition.revision, Basis(after, kept).encoded(), files), {}


def _as_of(heard_ms: int | None, sites: Sequence[Site]) -> str:
    """Return the local day of the last event that anybody sent: the hub's clock would make each export another."""
    return "" if heard_ms is None else day_of(heard_ms, sites[0].zone).isoformat()


def _telecentre(site: Site) -> Telecentre:
    return Telecentre(
        id=site.id,
        nom=site.name,
        code_insee=site.code_insee,
        reseau=site.network,
        latitude=site.latitude,
        longitude=site.longitude,
        fuseau=site.time_zone,
        horaires=site.opening_hours,
        nb_postes=len(site.desks),
        nb_salles_visio=len(site.rooms),
        acces_badge="true" if site.doors else "false",
        source=site.network_name,
    )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder with all its files, or nothing of it.

    Raises:
        ReleaseError: the folder is there already, or cannot be made.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    try:
        draft.mkdir()
        for name, content in files.items():
            with (draft / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        draft.rename(folder)
    except FileExistsError as error:
        raise ReleaseError(f"{draft} is there: another export runs, or one was cut off; remove it") from error
    except OSError as error:
        with suppress(OSError):
            shutil.rmtree(draft)
        raise ReleaseError(f"{folder} cannot be written: {error.strerror}") from error
