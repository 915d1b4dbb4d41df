"""`METHODE.md` and `telecentres.csv`: what a statistician who has the folder and nothing else needs to know."""

import json
import re
import shutil
import subprocess
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from hub.disclosure import AGREEMENT_K, PUBLIC_K
from hub.network import read_network
from hub.release import FIGURE_COLUMNS, Edition, MemberZone, Register, Telecentre, merged
from hub.release_folder import release_files
from hub.store import Store
from tests.support.october import export, figures, hear, heard, settle, table
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


@pytest.fixture
def config(three: Path, tmp_path: Path) -> Path:
    """Return the settings of a hub that heard three telecentres for all of October 2025."""
    shutil.copytree(three, tmp_path, dirs_exist_ok=True)
    return tmp_path / "hub.toml"


@pytest.fixture(scope="module")
def released(three: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the release of October 2025 to each audience, and what the command said of it."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copytree(three, folder, dirs_exist_ok=True)
    for audience in ("public", "agreement"):
        done = export(folder / "hub.toml", folder / audience, "--json", "--audience", audience)
        (folder / f"{audience}.json").write_text(done.output, encoding="utf-8")
    return folder


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
    config: Path, tmp_path: Path
) -> None:
    export(config, tmp_path / "one")
    hear(config, "mauriac", 4)
    with closing(Store(config.parent / "hub.db")) as store:
        whole = read_network(CANTAL)
        store.import_network(whole.model_copy(update={"zone": whole.zone[:1]}), today=date(2025, 11, 10))
        settle(store)
    assert json.loads(export(config, tmp_path / "two", "--json").output)["revision"] == 2
    assert zones(tmp_path / "two") == zones(tmp_path / "one")


def test_a_zone_whose_telecentres_changed_is_said_to_have_no_figures(config: Path, tmp_path: Path) -> None:
    with closing(Store(config.parent / "hub.db")) as store:
        whole = read_network(CANTAL)
        (massif,) = [zone for zone in whole.zone if zone.level == "massif"]
        fewer = massif.model_copy(update={"sites": [site for site in massif.sites if site != "murat"]})
        others = [zone for zone in whole.zone if zone is not massif]
        store.import_network(whole.model_copy(update={"zone": [*others, fewer]}), today=date(2025, 10, 10))
        settle(store)
    export(config, tmp_path / "out")
    assert "zone:massif-central" not in zones(tmp_path / "out")
    assert "Sans chiffres ce mois-ci : `zone:massif-central`." in page(tmp_path / "out")
    massifs = {row["id"]: row["massif"] for row in table(tmp_path / "out" / "telecentres.csv")}
    assert (massifs["murat"], massifs["ydes"]) == ("", "massif-central")  # on the last day of the month


def test_telecentres_are_told_as_the_register_had_them_on_the_last_day_of_the_month(
    config: Path, tmp_path: Path
) -> None:
    with closing(Store(config.parent / "hub.db")) as store:
        whole = read_network(CANTAL)
        later = {"desks": 9, "opening_hours": "Mo-Fr 07:00-20:00"}
        sites = [site.model_copy(update=later) if site.id == "murat" else site for site in whole.site]
        store.import_network(whole.model_copy(update={"site": sites}), today=date(2025, 11, 3))
        settle(store)
    export(config, tmp_path / "out")
    (murat,) = [row for row in table(tmp_path / "out" / "telecentres.csv") if row["id"] == "murat"]
    assert (murat["nb_postes"], murat["horaires"]) == ("6", "Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off")
    assert "tel qu'au registre le 2025-10-31" in page(tmp_path / "out")


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


def test_the_page_never_tells_what_the_audit_knows(released: Path) -> None:
    audit = json.loads((released / "public.json").read_text(encoding="utf-8"))["audit"]
    hidden = {line["reason"] for line in audit} - {"F", "N"}
    assert hidden >= {"A", "D"}
    header = re.findall(r"^\| ventilation .*$", page(released / "public"), re.MULTILINE)
    assert header == ["| ventilation | niveau | freq | publiées | confidentielles | manquantes |"]


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


def test_the_licence_and_the_contact_are_those_of_the_settings(config: Path, tmp_path: Path) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write('[release]\ncontact = "observatoire@cantal.example"\n')
    export(config, tmp_path / "out")
    assert "Contact : observatoire@cantal.example." in page(tmp_path / "out")
    assert "Licence Ouverte 2.0 (etalab-2.0)" in page(tmp_path / "out")


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


def test_exported_again_the_command_says_that_the_month_is_as_it_was_frozen(config: Path, tmp_path: Path) -> None:
    first, second = (export(config, tmp_path / name).output for name in ("one", "two"))
    assert "an earlier export" not in first
    assert "revision 1 of 2025-10, as an earlier export froze it," in second
    assert json.loads(export(config, tmp_path / "three", "--json").output)["is_same"]
