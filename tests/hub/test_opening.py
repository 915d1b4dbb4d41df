"""Opening hours that the hub would get wrong: refused at import; those of an older register are computed, and said."""

import logging
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from host.settings import SettingsError
from hub.network import read_network
from hub.opening import OpeningError, check, day_bounds, opened
from hub.serve import say_wrong_hours
from hub.store.connection import Engine
from tests.support.telecentres import CANTAL, MINUTE_MS, store_in

PARIS = ZoneInfo("Europe/Paris")
DATES = "school holidays (SH) are not known: write their dates, such as 'Jul 04-Aug 31 off'"
OLD = "Mo-Fr 08:00-19:00; SH off"


@pytest.mark.parametrize(
    ("hours", "sentence"),
    [
        (OLD, DATES),
        ("SH Mo-Fr 09:00-12:00", DATES),
        ("Mo-Fr 08:00-19:00; PH,SH off", DATES),
        ("Mo 08:00-10:00, SH 09:00-12:00", DATES),
        ("sunrise-sunset", "sunrise is not known: write times, such as '08:00-19:00'"),
        ("Mo-Fr 08:00-(Sunset-01:00)", "sunset is not known: write times, such as '08:00-19:00'"),
        ("dawn-20:00", "dawn is not known: write times, such as '08:00-19:00'"),
        ("08:00-dusk", "dusk is not known: write times, such as '08:00-19:00'"),
    ],
)
def test_hours_that_hang_on_school_holidays_or_the_sun_are_refused(hours: str, sentence: str) -> None:
    with pytest.raises(OpeningError) as error:
        check(hours)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "hours",
    ['Mo-Fr 08:00-19:00 "SH: sunrise to sunset"', "Mo-Fr 08:00-19:00; Jul 04-Aug 31 off", "PH off; Mo-Fr 08:00-19:00"],
)
def test_comments_and_dates_are_no_such_hours(hours: str) -> None:
    assert check(hours) == hours


def test_an_import_says_file_line_key_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "network.toml"
    text = CANTAL.read_text(encoding="utf-8").replace("Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off", OLD)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        read_network(file)
    line = text.partition(OLD)[0].count("\n") + 1
    assert f"network.toml, line {line}: 'network.opening_hours' is wrong: {DATES}" in str(error.value)


def test_a_register_that_holds_such_hours_goes_on_and_the_hub_says_so_once(
    home: Path | Engine, caplog: pytest.LogCaptureFixture
) -> None:
    noon = day_bounds(date(2026, 11, 20), PARIS)[0] + 12 * 60 * MINUTE_MS
    store = store_in(home, lambda: noon)
    table = read_network(CANTAL)
    old = table.network.model_copy(update={"opening_hours": OLD})
    sites = [site.model_copy(update={"opening_hours": None}) for site in table.site]
    store.import_network(table.model_copy(update={"network": old, "site": sites}), today=date(2026, 11, 1))
    day = day_bounds(date(2026, 11, 19), PARIS)
    rows = store.occupancy("murat", "desk", "day", *day)
    assert {row.available_ms for row in rows} == {11 * 60 * MINUTE_MS}
    with caplog.at_level(logging.WARNING):
        say_wrong_hours(store.sites())
    (said,) = caplog.records
    assert f"opening_hours={OLD!r}" in said.getMessage()
    assert "school holidays (SH) are not known" in said.getMessage()
    store.close()


def test_such_hours_are_computed_as_if_there_were_no_school_holidays() -> None:
    assert opened(OLD, PARIS, date(2026, 8, 11)) == opened("Mo-Fr 08:00-19:00", PARIS, date(2026, 8, 11))


def test_a_hub_whose_hours_are_right_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = store_in(tmp_path)
    store.import_network(read_network(CANTAL))
    say_wrong_hours(store.sites())
    assert caplog.records == []
    store.close()
