"""`METHODE.md` and `telecentres.csv`: what a statistician who has the folder and nothing else needs to know."""

import json
import shutil
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hub.config import ReleaseSettings
from hub.disclosure import AGREEMENT_K, PUBLIC_K
from hub.judging import AUDIENCES
from hub.network import Network, read_network
from hub.release import FIGURE_COLUMNS, LEVELS, Edition, MemberZone, Register, Telecentre, merged, read_rows
from hub.release_folder import release_files
from hub.release_method import revision_of
from hub.store import Store
from tests.support.october import OF_MONTH, export, figures, hear, heard, settle, table
from tests.support.telecentres import CANTAL
from tests.test_docs import table_rows

PLACE = Telecentre(
    id="murat",
    nom="Murat",
    code_insee=None,
    massif=None,
    reseau="cantal",
    latitude=None,
    longitude=None,
    fuseau="Europe/Paris",
    horaires="Mo-Fr 08:00-19:00",
    nb_postes=6,
    nb_salles_visio=1,
    acces_badge="true",
    source="CyberCantal",
)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a hub that heard three telecentres for all of October 2025."""
    return heard(tmp_path_factory.mktemp("three"), (("aurillac", 8), ("saint-flour", 5), ("murat", 2)))


@pytest.fixture(scope="module")
def released(three: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the release of October 2025 to each audience, and what the command said of it."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copytree(three, folder, dirs_exist_ok=True)
    for audience in ("public", "agreement"):
        done = export(folder / "hub.toml", folder / audience, "--json", "--audience", audience)
        (folder / f"{audience}.json").write_text(done.output, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the release of October 2025, in which and after which the register changed."""
    folder = tmp_path_factory.mktemp("changed")
    config = folder / "hub.toml"
    config.write_text(
        '[database]\nfile = "hub.db"\n[broker]\nembedded = true\n[release]\ncontact = "observatoire@cantal.example"\n',
        encoding="utf-8",
    )
    whole = read_network(CANTAL)
    first = without(whole, "ydes")
    october = first.model_copy(update={"zone": without(first, "murat", "massif").zone})
    october = october.model_copy(update={"zone": [zone for zone in october.zone if zone.id != "est-cantal"]})
    more = {"desks": 9, "opening_hours": "Mo-Fr 07:00-20:00"}
    sites = [site.model_copy(update=more) if site.id == "murat" else site for site in october.site]
    ydes = [site for site in whole.site if site.id == "ydes"]
    with closing(Store(folder / "hub.db")) as store:
        store.import_network(first, today=date(2025, 9, 1))
    for site, used in (("aurillac", 8), ("saint-flour", 5), ("murat", 4)):
        hear(config, site, used)
    with closing(Store(folder / "hub.db")) as store:
        store.import_network(october, today=date(2025, 10, 10))
        store.import_network(october.model_copy(update={"site": sites}), today=date(2025, 11, 3))
        store.import_network(october.model_copy(update={"site": [*sites, *ydes]}), today=date(2025, 11, 10))
        settle(store)
    assert export(config, folder / "out").exit_code == 0
    return folder


def without(network: Network, site: str, level: str | None = None) -> Network:
    """Return a network of which a telecentre, or a zone of this level, has one telecentre less."""
    zones = [
        zone.model_copy(update={"sites": [one for one in zone.sites if one != site]})
        if level in (None, zone.level)
        else zone
        for zone in network.zone
    ]
    return network.model_copy(update={"site": [one for one in network.site if one.id != site], "zone": zones})


def copied(folder: Path, to: Path) -> Path:
    """Return the settings of a copy of a hub that has released October 2025."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to / "hub.toml"


def page(folder: Path) -> str:
    return (folder / "METHODE.md").read_text(encoding="utf-8")


def zones(folder: Path) -> dict[str, list[str]]:
    """Return the telecentres of each zone, as the page tells them."""
    rows = table_rows(page(folder), "zone", "niveau")
    assert all(int(row[3]) == len(row[4].split(", ")) for row in rows)
    return {row[0].strip("`"): row[4].split(", ") for row in rows}


def method(register: Register, k: int = PUBLIC_K, licence: str = "", contact: str = "") -> str:
    edition = Edition("2026-02", "1.0", "2026-02-28", 1, licence, contact)
    return release_files(edition, register, [], k)["METHODE.md"].decode()


def test_every_zone_that_has_a_figure_is_told_with_its_telecentres(released: Path) -> None:
    told = {
        row[FIGURE_COLUMNS[0]]
        for row in table(released / "public" / "indicateurs.csv")
        if row["niveau"] != "telecentre"
    }
    known = zones(released / "public")
    assert known.keys() == told
    assert known["zone:monts-du-cantal"] == ["allanche", "murat", "riom-es-montagnes", "vic-sur-cere"]
    assert len(known["reseau:cantal"]) == 10
    assert list(known) == sorted(known)


def test_the_zones_of_a_revision_are_those_of_its_figures_whatever_the_register_says_by_now(
    released: Path, tmp_path: Path
) -> None:
    config = copied(released, tmp_path)
    with closing(Store(tmp_path / "hub.db")) as store:
        whole = read_network(CANTAL)
        store.import_network(whole.model_copy(update={"zone": whole.zone[:1]}), today=date(2025, 11, 10))
    hear(config, "mauriac", 4)
    assert json.loads(export(config, tmp_path / "two", "--json").output)["revision"] == 2
    assert zones(tmp_path / "two") == zones(tmp_path / "public")


def test_zones_that_changed_or_went_within_the_month_are_said_to_have_no_figures(changed: Path) -> None:
    absent = {"zone:massif-central", "zone:est-cantal"}
    assert zones(changed / "out").keys() == {"reseau:cantal", "zone:haute-auvergne", "zone:monts-du-cantal"}
    assert not absent & {row[FIGURE_COLUMNS[0]] for row in table(changed / "out" / "indicateurs.csv")}
    assert "Sans chiffres ce mois-ci : `zone:est-cantal`, `zone:massif-central`." in page(changed / "out")
    massifs = {row["id"]: row["massif"] for row in table(changed / "out" / "telecentres.csv")}
    assert (massifs["murat"], massifs["mauriac"]) == ("", "massif-central")  # on the last day of the month


def test_telecentres_are_told_as_the_register_had_them_on_the_last_day_of_the_month(changed: Path) -> None:
    assert of_the_day(changed / "out", "murat") == ("6", "1", "Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off")
    assert "tel qu'au registre le 2025-10-31" in page(changed / "out")


def test_a_telecentre_declared_after_the_month_has_a_row_and_had_no_desk_in_it(changed: Path) -> None:
    assert of_the_day(changed / "out", "ydes") == ("", "", "")
    rows = [row for row in table(changed / "out" / "indicateurs.csv") if row[FIGURE_COLUMNS[0]] == "ydes"]
    assert {row["nb_ressources"] for row in rows if row["ventilation"] != "personnes"} == {"0"}
    # A network is as it was when revision 1 was made, and the page says so.
    assert "ydes" in zones(changed / "out")["reseau:cantal"]
    assert "un télécentre déclaré après le mois peut en être" in page(changed / "out")


def test_a_telecentre_declared_after_the_month_has_its_desks_once_its_figures_know_them(
    changed: Path, tmp_path: Path
) -> None:
    config = copied(changed, tmp_path)
    hear(config, "ydes", 4)
    assert json.loads(export(config, tmp_path / "two", "--json").output)["revision"] == 2
    assert figures(tmp_path / "two")["ydes", *OF_MONTH]["nb_ressources"] == "4"
    assert of_the_day(tmp_path / "two", "ydes") == ("4", "1", "Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off")


def test_every_telecentre_of_the_figures_has_a_row(changed: Path, released: Path) -> None:
    for folder in (changed / "out", released / "public", released / "agreement"):
        rows = [row for row in table(folder / "indicateurs.csv") if row["niveau"] == "telecentre"]
        known = {row["id"] for row in table(folder / "telecentres.csv")}
        assert {row[FIGURE_COLUMNS[0]] for row in rows} == known
        assert {site for members in zones(folder).values() for site in members} <= known


def of_the_day(folder: Path, site: str) -> tuple[str, str, str]:
    """Return desks, rooms and hours of a telecentre in the register of a release."""
    (row,) = [row for row in table(folder / "telecentres.csv") if row["id"] == site]
    return row["nb_postes"], row["nb_salles_visio"], row["horaires"]


@pytest.mark.parametrize("audience", ["public", "agreement"])
def test_the_page_counts_what_is_told_and_what_is_hidden_as_anybody_can_from_the_file(
    released: Path, audience: str
) -> None:
    counts: Counter[tuple[str, ...]] = Counter()
    for row in table(released / audience / "indicateurs.csv"):
        kind = "told" if row["valeur"] else "hidden" if row["conf_status"] == "C" else "missing"
        counts[row["ventilation"], row["niveau"], row["freq"], kind] += 1
    rows = table_rows(page(released / audience), "ventilation", "niveau")
    told = {
        (*row[:3], kind): int(number)
        for row in rows[:-1]
        for kind, number in zip(("told", "hidden", "missing"), row[3:], strict=True)
    }
    assert {key: number for key, number in told.items() if number} == dict(counts)
    assert sum(map(int, rows[-1][3:])) == counts.total()


@pytest.mark.parametrize("audience", ["public", "agreement"])
def test_the_page_never_tells_what_the_audit_knows(released: Path, audience: str) -> None:
    audit = json.loads((released / "public.json").read_text(encoding="utf-8"))["audit"]
    assert {line["reason"] for line in audit} >= {"A", "D"}
    # Every byte of it comes out of what stands beside it: of the audit there is nothing, wherever one looks.
    assert page_made_of(released / audience, AUDIENCES[audience]) == page(released / audience)


def page_made_of(folder: Path, k: int) -> str:
    """Return the page of a release, made anew of the files beside it, the names of its zones and the licence."""
    rows = read_rows((folder / "indicateurs.csv").read_bytes())
    of = dict(zip(FIGURE_COLUMNS, rows[0], strict=True))
    edition = Edition("2025-10", of["version_calcul"], of["date_calcul"], 1, ReleaseSettings().licence)
    sources = {row["source"] for row in table(folder / "telecentres.csv")}
    levels = {text: level for level, text in LEVELS.items()}
    known = [
        MemberZone(zone, levels[level], name, members.split(", "))
        for zone, level, name, _, members in table_rows(page(folder), "zone", "niveau")
    ]
    register = Register([replace(PLACE, source=source) for source in sources], known)
    return release_files(edition, register, rows, k)["METHODE.md"].decode()


def test_every_column_and_indicator_of_the_file_is_explained(released: Path) -> None:
    text = page(released / "public")
    for column in FIGURE_COLUMNS:
        assert f"`{column}`" in text
    for indicator in {row["indicateur"] for row in table(released / "public" / "indicateurs.csv")}:
        assert f"- **{indicator}** (" in text


def test_the_grains_of_the_page_are_those_of_the_file(released: Path) -> None:
    names = {"M": "mois", "W": "semaine", "D": "jour"}
    for audience in ("public", "agreement"):
        folder = released / audience
        found: dict[str, set[str]] = {}
        for row in table(folder / "indicateurs.csv"):
            found.setdefault(row["niveau"], set()).add(names[row["freq"]])
        written = {row[0]: set(row[1].split(", ")) for row in table_rows(page(folder), "niveau", "périodes")}
        assert {level: written[level] for level in found} == found


def test_the_public_may_use_it_and_who_signed_may_not_pass_it_on() -> None:
    register = Register([PLACE], [])
    public, agreed = (method(register, k, licence="ODbL", contact="a@b.example") for k in (PUBLIC_K, AGREEMENT_K))
    assert "Diffusion publique. Réutilisation : ODbL, en citant la source et la révision." in public
    assert "ni à publier, ni à transmettre" in agreed
    assert "ODbL" not in agreed
    assert "Contact : a@b.example." in public
    assert "Contact" not in method(register)


def test_the_licence_and_the_contact_are_those_of_the_settings(changed: Path) -> None:
    assert "Contact : observatoire@cantal.example." in page(changed / "out")
    assert "Licence Ouverte 2.0 (etalab-2.0)" in page(changed / "out")


def test_a_name_breaks_no_table_of_the_page() -> None:
    zone = MemberZone("zone:a", "valley", "A | B\n# C", ["murat"])
    assert "| `zone:a` | vallee | A \\| B # C | 1 | murat |\n" in method(Register([PLACE], [zone]))


def test_checksums_are_checked_as_the_page_says(released: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"],
        cwd=released / "public",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.count(": OK")) == (0, 3)


def test_files_are_in_the_encoding_that_the_page_says(released: Path) -> None:
    for name in ("telecentres.csv", "indicateurs.csv"):
        content = (released / "public" / name).read_bytes()
        content.decode("utf-8")
        assert not content.startswith(b"\xef\xbb\xbf")
        assert content.count(b"\n") == content.count(b"\r\n")


def test_minutes_and_counts_are_whole_numbers_and_shares_have_a_point(released: Path) -> None:
    shares = {"taux_occupation", "rotation"}
    for key, row in figures(released / "public").items():
        if row["valeur"]:
            assert ("." in row["valeur"]) == (key[2] in shares)


def test_a_number_that_is_written_with_other_decimals_makes_no_revision() -> None:
    row = ["murat", "telecentre", "M", "2025-10", "temps_occupe", "poste", "15360.0", "min", "A", "F", "", "1"]
    shorter, other = ([*row[:6], value, *row[7:]] for value in ("15360", "15361"))
    assert merged([row], [shorter]) == [row]
    assert merged([row], [other]) == [other]


def test_exported_again_the_command_says_that_the_month_is_as_it_was_frozen(released: Path, tmp_path: Path) -> None:
    first, agreed = (
        json.loads((released / f"{audience}.json").read_text(encoding="utf-8")) for audience in ("public", "agreement")
    )
    assert [(it["is_new"], it["is_same"]) for it in (first, agreed)] == [(True, False), (False, True)]
    done = export(copied(released, tmp_path), tmp_path / "again")
    assert "revision 1 of 2025-10, as an earlier export froze it," in done.output


def test_the_revision_of_a_page_is_read_from_either_form_that_was_ever_frozen() -> None:
    assert revision_of(method(Register([PLACE], []))) == 1
    assert revision_of("# Méthode\n\nTélécentres, 2025-10, révision 12. Calcul : telecentre 0.1.0,\n") == 12
    with pytest.raises(ValueError, match="no revision"):
        revision_of("# Méthode\n")
