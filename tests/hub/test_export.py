"""A month for the observatory: a new folder, the columns agreed on, nothing but what the gate lets through."""

import csv
import hashlib
import json
import os
import shutil
import signal
from contextlib import closing
from datetime import date
from io import StringIO
from pathlib import Path

import pytest

from hub.commands.draft import drafted
from hub.commands.export import read_month
from hub.judging import Question, Told, first_told
from hub.live import LiveBoard
from hub.network import read_network
from hub.observatory import Month, month_span
from hub.release import FIGURE_COLUMNS
from hub.release_folder import PLACE_COLUMNS
from hub.store import Store
from hub.store.register import read_sites
from hub.store.releases import read_release
from tests.support.october import (
    FIRST_MS,
    HOUR_MS,
    OF_MONTH,
    desks_of_the_month,
    export,
    figures,
    heard,
    october,
    run,
    settle,
    table,
)
from tests.support.telecentres import CANTAL, put_history
from tests.support.web import app_on, ask

OCTOBER = date(2025, 10, 1)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a hub that heard four telecentres for all of October 2025."""
    return heard(tmp_path_factory.mktemp("four"), (("aurillac", 8), ("saint-flour", 5), ("murat", 2), ("mauriac", 4)))


@pytest.fixture
def config(four: Path, tmp_path: Path) -> Path:
    """Return the settings of a hub that heard four telecentres for all of October 2025."""
    shutil.copytree(four, tmp_path, dirs_exist_ok=True)
    return tmp_path / "hub.toml"


def test_a_month_is_a_folder_with_its_files_and_their_checksums(config: Path, tmp_path: Path) -> None:
    done = export(config, tmp_path / "out")
    assert done.exit_code == 0, done.output
    files = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert sorted(files) == ["METHODE.md", "indicateurs.csv", "telecentres.csv"]


def test_the_same_data_gives_the_same_bytes(config: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert export(config, tmp_path / name).exit_code == 0
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


def test_the_subjects_of_a_large_month_are_judged_at_once_with_the_same_bytes(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert export(config, tmp_path / "out").exit_code == 0
    monkeypatch.setattr("hub.commands.export.MANY_PLACES", 0)
    assert export(tmp_path / "copy" / "hub.toml", tmp_path / "copy" / "out").exit_code == 0
    one, two = (
        {file.name: file.read_bytes() for file in (at / "out").iterdir()} for at in (tmp_path, tmp_path / "copy")
    )
    assert one == two


def test_the_columns_are_those_agreed_on_with_the_observatory(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    for name, columns in (("telecentres.csv", PLACE_COLUMNS), ("indicateurs.csv", FIGURE_COLUMNS)):
        assert (tmp_path / "out" / name).read_text(encoding="utf-8").splitlines()[0] == ";".join(columns)
    assert (len(PLACE_COLUMNS), len(FIGURE_COLUMNS)) == (36, 17)


def test_telecentres_are_told_of_with_what_the_register_knows_and_nothing_made_up(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    places = {row["id"]: row for row in table(tmp_path / "out" / "telecentres.csv")}
    murat = {key: value for key, value in places["murat"].items() if value}
    assert murat == {
        "id": "murat",
        "nom": "Murat",
        "code_insee": "15138",
        "massif": "massif-central",
        "reseau": "cantal",
        "latitude": "45.1101",
        "longitude": "2.8686",
        "fuseau": "Europe/Paris",
        "horaires": "Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off",
        "nb_postes": "6",
        "nb_salles_visio": "1",
        "acces_badge": "true",
        "source": "CyberCantal Télécentres",
    }
    assert len(places) == 10


def test_a_telecentre_with_two_used_desks_is_hidden_with_one_that_covers_it(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    rates = desks_of_the_month(tmp_path / "out", "taux_occupation")
    assert (rates["murat"]["valeur"], rates["murat"]["conf_status"]) == ("", "C")
    assert (rates["saint-flour"]["valeur"], rates["saint-flour"]["conf_status"]) == ("", "C")
    assert rates["aurillac"]["conf_status"] == rates["mauriac"]["conf_status"] == "F"
    assert rates["zone:est-cantal"]["conf_status"] == "F"


def test_a_published_rate_is_the_one_that_the_hub_computes(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    store = Store(config.parent / "hub.db")
    (aurillac,) = [site for site in store.sites() if site.id == "aurillac"]
    rows = store.occupancy("aurillac", "desk", "month", *month_span(OCTOBER, [aurillac]))
    observed, occupied = sum(row.observed_ms for row in rows), sum(row.occupied_ms for row in rows)
    row = desks_of_the_month(tmp_path / "out", "taux_occupation")["aurillac"]
    assert row["valeur"] == str(round(occupied / observed, 2))
    assert (row["nb_ressources"], row["couverture"], row["obs_status"]) == ("8", "1.0", "A")
    assert float(row["heures_ouverture"]) == 23 * 11 + 4 * 3


def test_sessions_and_turnover_are_told_with_the_time_or_not_at_all(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    told = {name: desks_of_the_month(tmp_path / "out", name) for name in ("temps_occupe", "sessions", "rotation")}
    assert told["sessions"]["aurillac"]["valeur"] == str(8 * 8)
    assert told["rotation"]["aurillac"]["valeur"] == str(round(8 * 8 / (8 * (23 + 4)), 2))
    for place, time in told["temps_occupe"].items():
        assert {told[name][place]["valeur"] == "" for name in ("sessions", "rotation")} == {time["valeur"] == ""}


def test_days_are_told_of_the_network_and_the_massif_alone(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    days = [row for row in table(tmp_path / "out" / "indicateurs.csv") if row["freq"] == "D"]
    assert {(row["niveau"], row[FIGURE_COLUMNS[0]]) for row in days} == {
        ("reseau", "reseau:cantal"),
        ("massif", "zone:massif-central"),
    }


def test_a_telecentre_that_was_never_heard_is_missing_and_not_zero(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    row = desks_of_the_month(tmp_path / "out", "taux_occupation")["ydes"]
    assert (row["valeur"], row["obs_status"]) == ("", "M")


def test_coverage_is_empty_where_nothing_was_there_and_zero_where_nobody_watched(tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text('[database]\nfile = "other.db"\n[broker]\nembedded = true\n', encoding="utf-8")
    with closing(Store(tmp_path / "other.db")) as store:
        store.import_network(read_network(CANTAL), today=date(2025, 9, 1))
        put_history(store, "aurillac", october(store, "aurillac", 8), until=FIRST_MS + 31 * 24 * HOUR_MS)
        settle(store)
    export(config, tmp_path / "out")
    told = figures(tmp_path / "out")
    sunday, month = told["reseau:cantal", "2025-10-05", "temps_occupe", "poste"], told["ydes", *OF_MONTH]
    assert (sunday["couverture"], sunday["obs_status"], sunday["valeur"]) == ("", "M", "")
    assert (month["couverture"], month["obs_status"], month["valeur"]) == ("0.0", "M", "")
    assert told["montmurat", "2025-10", "temps_occupe", "salle_visio"]["couverture"] == ""  # it has no room


def test_coverage_is_empty_in_a_release_where_it_is_in_the_answers_of_the_hub(config: Path, tmp_path: Path) -> None:
    export(config, tmp_path / "out")
    with closing(Store(config.parent / "hub.db")) as store:
        app = app_on(store, LiveBoard())
        asked = {"from": "2025-10-01", "to": "2025-11-01", "step": "month", "format": "csv"}
        for kind, subject in (("desk", "poste"), ("room", "salle_visio")):
            answer = ask(app, "/api/v1/indicators", {**asked, "kind": kind, "by": "site"})
            rows = csv.DictReader(StringIO(answer.text), delimiter=";")
            hub = {row["id_lieu"]: row["couverture"] for row in rows}
            released = figures(tmp_path / "out")
            for site, coverage in hub.items():
                assert (released[site, "2025-10", "temps_occupe", subject]["couverture"] == "") == (coverage == "")


def test_the_command_says_how_much_was_hidden_and_the_folder_does_not(config: Path, tmp_path: Path) -> None:
    answer = json.loads(export(config, tmp_path / "out", "--json").output)
    assert {line["reason"] for line in answer["audit"]} >= {"A", "D", "F", "N"}
    told = (tmp_path / "out" / "indicateurs.csv").read_text(encoding="utf-8")
    assert {row["conf_status"] for row in table(tmp_path / "out" / "indicateurs.csv")} == {"F", "C"}
    assert ";N;" not in told


def test_a_release_is_never_written_over(config: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "indicateurs.csv").write_text("mine", encoding="utf-8")
    done = export(config, tmp_path / "out")
    assert done.exit_code == 1
    assert "is there already: a release is never written over" in done.output
    assert [file.read_text(encoding="utf-8") for file in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_refused_in_a_sentence_and_nothing_stays(config: Path, tmp_path: Path) -> None:
    done = export(config, tmp_path / "no" / "such" / "out")
    assert (done.exit_code, "cannot be written: No such file or directory" in done.output) == (1, True)


def test_what_a_killed_export_left_is_taken_over_by_the_next(config: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.draft").mkdir()
    (tmp_path / ".out.draft" / "indicateurs.csv").write_text("half", encoding="utf-8")
    assert export(config, tmp_path / "out").exit_code == 0
    assert not (tmp_path / ".out.draft").exists()
    assert len(table(tmp_path / "out" / "indicateurs.csv")) > 100


def test_an_export_that_is_stopped_freezes_nothing(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hub.commands.export.first_told", lambda _: os.kill(os.getpid(), signal.SIGTERM))
        done = export(config, tmp_path / "out")
    assert (done.exit_code, done.output) == (1, "telecentre-hub: stopped: nothing was frozen, and nothing written\n")
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == []
    assert json.loads(export(config, tmp_path / "out", "--json").output)["is_new"]


def test_what_another_export_published_meanwhile_is_not_published_twice(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside(asked: Question) -> dict[str, Told]:
        if not (tmp_path / "beside").exists():
            (tmp_path / "beside").mkdir()
            assert export(config, tmp_path / "beside" / "out").exit_code == 0
        return first_told(asked)

    with monkeypatch.context() as patched:
        patched.setattr("hub.commands.export.first_told", beside)
        done = export(config, tmp_path / "out")
    assert (done.exit_code, "published by another export meanwhile: run this one again" in done.output) == (1, True)
    assert not json.loads(export(config, tmp_path / "out", "--json").output)["is_new"]
    one, two = (
        {file.name: file.read_bytes() for file in at.iterdir()}
        for at in (tmp_path / "out", tmp_path / "beside" / "out")
    )
    assert one == two


def test_what_was_frozen_and_not_written_comes_as_the_same_bytes(config: Path, tmp_path: Path) -> None:
    assert export(config, tmp_path / "one").exit_code == 0
    shutil.rmtree(tmp_path / "one")  # as if it had been killed after it froze
    (tmp_path / ".one.draft").mkdir()
    again = json.loads(export(config, tmp_path / "one", "--json").output)
    assert (again["revision"], again["is_new"]) == (1, False)
    with Store(config.parent / "hub.db").seen() as connection:
        frozen = read_release(connection, "2025-10")
    assert frozen is not None
    assert {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()} == frozen.files["public"]


def test_two_exports_to_one_folder_do_not_meet(config: Path, tmp_path: Path) -> None:
    with drafted(tmp_path / "out"):
        done = export(config, tmp_path / "out")
        assert (done.exit_code, "another export writes" in done.output) == (1, True)
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == []


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "October", "1999-10", "2026-10-01", ""])
def test_what_is_no_month_is_refused(config: Path, tmp_path: Path, month: str) -> None:
    done = run("export", "--month", month, "--to", tmp_path / "out", "--config", config)
    assert (done.exit_code, "a month such as 2026-10" in done.output) == (2, True)


def test_a_month_that_is_not_over_is_refused(config: Path, tmp_path: Path) -> None:
    done = run("export", "--month", "2098-01", "--to", tmp_path / "out", "--config", config)
    assert (done.exit_code, "2098-01 is not over" in done.output) == (1, True)


def test_nothing_is_exported_while_figures_are_pending(config: Path, tmp_path: Path) -> None:
    store = Store(config.parent / "hub.db")
    put_history(store, "allanche", october(store, "allanche", 4), until=FIRST_MS + 31 * 24 * HOUR_MS)
    done = export(config, tmp_path / "out")
    assert (done.exit_code, "1 figures of 2025-10 are still to be computed" in done.output) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_zone_that_lost_a_telecentre_for_some_days_of_the_month_is_left_out(config: Path, tmp_path: Path) -> None:
    store = Store(config.parent / "hub.db")
    whole = read_network(CANTAL)
    (valley,) = [zone for zone in whole.zone if zone.id == "monts-du-cantal"]
    fewer = valley.model_copy(update={"sites": [site for site in valley.sites if site != "murat"]})
    others = [zone for zone in whole.zone if zone is not valley]
    store.import_network(whole.model_copy(update={"zone": [*others, fewer]}), today=date(2025, 10, 10))
    store.import_network(whole, today=date(2025, 10, 20))
    settle(store)
    done = export(config, tmp_path / "out")
    assert done.exit_code == 0, done.output
    told = {row[FIGURE_COLUMNS[0]] for row in table(tmp_path / "out" / "indicateurs.csv")}
    assert "zone:est-cantal" in told
    assert "zone:monts-du-cantal" not in told


def test_a_hub_without_telecentres_has_nothing_to_export(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[database]\nfile = "hub.db"\n[broker]\nembedded = true\n', encoding="utf-8")
    Store(tmp_path / "hub.db").close()
    done = export(tmp_path / "hub.toml", tmp_path / "out")
    assert (done.exit_code, "the register holds no telecentre" in done.output) == (1, True)


def test_a_confidential_room_is_in_no_figure(config: Path) -> None:
    store = Store(config.parent / "hub.db")
    (site,) = [site for site in store.sites() if site.id == "chaudes-aigues"]
    (room,) = site.rooms
    assert room.confidential
    assert site.id not in {row.site for row in october_of(store).used if row.subject == "salle_visio"}
    # Whoever makes it an open room in November does not open what was in October.
    whole = read_network(CANTAL)
    sites = [one.model_copy(update={"confidential_rooms": 0}) if one.id == site.id else one for one in whole.site]
    store.import_network(whole.model_copy(update={"site": sites}), today=date(2025, 11, 10))
    settle(store)
    assert site.id not in {row.site for row in october_of(store).used if row.subject == "salle_visio"}


def october_of(store: Store) -> Month:
    with store.seen() as connection:
        return read_month(connection, OCTOBER, read_sites(connection), FIRST_MS + 60 * 24 * HOUR_MS)
