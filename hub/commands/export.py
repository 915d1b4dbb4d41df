"""`telecentre-hub export`: one month for the observatory, in a new folder, every figure through the gate."""

import os
import re
import shutil
from collections import Counter
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path

import click

from hub.commands.options import config_option, in_one_sentence, json_option, now_of, store_of, tell
from hub.disclosure import AGREEMENT_K, PUBLIC_K, disclose
from hub.observatory import month_span, month_table
from hub.opening import day_of
from hub.release import Edition, ReleaseError, Telecentre, release_files
from hub.store import Site

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
    """Write the figures of a month that may be published, and print how many were hidden and why."""
    store = store_of(config)
    sites = store.sites()
    if not sites:
        raise ReleaseError("the register holds no telecentre")
    start, end = month_span(month, sites)
    if end > now_of(config):
        raise ReleaseError(f"{month:%Y-%m} is not over in every telecentre")
    pending = store.totals().dirty
    if pending:
        raise ReleaseError(f"{pending} figures are still to be computed: let the hub run until `status` says none")
    table, facts = month_table(
        month, sites, {kind: store.occupancy(None, kind, "day", start, end) for kind in ("desk", "room")}
    )
    release = disclose(table, AUDIENCES[audience])
    edition = Edition(f"{month:%Y-%m}", version("telecentre"), _as_of(store.last_heard_ms(), sites))
    levels = {place.id: place.level for place in table.places}
    _write(folder, release_files(edition, [_telecentre(site) for site in sites], levels, facts, release))
    audit: Counter[str] = Counter()
    for line in release.audit:
        audit[line.reason] += line.cells
    shown = sum(1 for verdict in release.verdicts if verdict.value is not None)
    sentence = f"{folder}: {shown} figures published. Cells by reason (docs/method.md): " + ", ".join(
        f"{reason} {count}" for reason, count in sorted(audit.items())
    )
    answer = {"folder": str(folder), "published": shown, "audit": [line._asdict() for line in release.audit]}
    tell(sentence, answer, as_json=as_json)


def _as_of(heard_ms: int | None, sites: list[Site]) -> str:
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


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Make the folder with all its files, or nothing of it.

    Raises:
        ReleaseError: the folder is there already, or cannot be made.
    """
    if os.path.lexists(folder):
        raise ReleaseError(f"{folder} is there already: a release is never written over")
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
