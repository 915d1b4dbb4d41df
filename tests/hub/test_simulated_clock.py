"""A hub whose time is played by a file: on one machine, and never in secret."""

from pathlib import Path

import pytest

from host.settings import SettingsError
from hub.app import create_app
from hub.clock import ClockFileError, clock_of
from hub.config import HubSettings, read_settings
from hub.live import LiveBoard
from hub.store import Store
from hub.store.engine import engine_of
from hub.texts import LANGUAGES, words
from tests.support.telecentres import HEALTHY
from tests.support.web import ask

NOON_MS = 1_774_782_000_000


def settings_of(folder: Path, more: str = "") -> HubSettings:
    file = folder / "hub.toml"
    file.write_text(f'simulated_clock = "clock"\n[database]\nfile = "hub.sqlite"\n{more}')
    return read_settings(file)


def test_each_look_at_the_clock_reads_the_file(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text(f"{NOON_MS}\n")
    now_ms = clock_of(settings_of(tmp_path))
    first = now_ms()
    clock.write_text(f"{NOON_MS + 1}\n")
    assert (first, now_ms()) == (NOON_MS, NOON_MS + 1)


@pytest.mark.parametrize("content", ["", "noon", "-5", "1774782000000 1774782000001", "9" * 30])
def test_a_file_without_a_time_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "clock").write_text(content)
    with pytest.raises(ClockFileError, match="holds no UTC milliseconds"):
        clock_of(settings_of(tmp_path))


def test_a_file_that_is_not_there_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClockFileError, match="cannot be read"):
        clock_of(settings_of(tmp_path))


def test_a_simulated_clock_is_refused_with_a_broker_elsewhere(tmp_path: Path) -> None:
    tls = 'ca_file = "ca.pem"\ncertificate_file = "hub.pem"\nkey_file = "hub.key"\n'
    with pytest.raises(SettingsError, match="simulated clock is for plays on one machine"):
        settings_of(tmp_path, f'[broker]\nhost = "broker.example"\n{tls}')


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/", "/statistics", "/nowhere"])
def test_every_page_says_that_the_time_is_played(tmp_path: Path, language: str, path: str) -> None:
    (tmp_path / "clock").write_text(str(NOON_MS))
    settings = settings_of(tmp_path)
    store = Store(engine_of(settings.database, makes=True), now_ms=clock_of(settings))
    app = create_app(settings, store, LiveBoard(store.sites()), lambda: HEALTHY, now_ms=clock_of(settings))
    assert words(language)("page.simulated") in ask(app, path, {"lang": language}).text
    store.close()


def test_a_page_of_a_hub_with_the_time_of_day_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[database]\nfile = "hub.sqlite"\n')
    settings = read_settings(tmp_path / "hub.toml")
    store = Store(engine_of(settings.database, makes=True))
    app = create_app(settings, store, LiveBoard(), lambda: HEALTHY)
    assert words("en")("page.simulated") not in ask(app, "/", {"lang": "en"}).text
    store.close()
