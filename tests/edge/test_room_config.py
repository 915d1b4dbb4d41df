"""The settings of rooms: what is refused, with which words, and what is never printed."""

from pathlib import Path

import pytest

from edge.config import check_room_secrets, read_settings
from edge.wiring import plan_of
from host.settings import SettingsError

SITE = """
site = "murat"
time_zone = "Europe/Paris"
[link]
[outbox]
folder = "outbox"
[rights]
folder = "rights"
hub_key = "abababababababababababababababababababababababababababababababab"
private_key_file = "rights.key"
"""

ROOM = """
[[room]]
id = "room-{n:02}"
sensor = [{{ id = "room-{n:02}-pin", kind = "pin", pin = {pin} }}]
"""


def room(number: int, *lines: str) -> str:
    head = ROOM.format(n=number, pin=10 + number).partition("\n[[room]]\n")
    return head[1] + "\n".join(lines) + "\n" + head[2]


def samsung(host: str = "192.0.2.21", port: int = 1515) -> str:
    return f'display = {{ kind = "samsung-mdc", host = "{host}", port = {port} }}'


def pjlink(host: str = "192.0.2.21", port: int = 4352, more: str = "") -> str:
    return f'display = {{ kind = "pjlink", host = "{host}", port = {port}{more} }}'


def write(folder: Path, *rooms: str) -> Path:
    file = folder / "site.toml"
    file.write_text(SITE + "".join(rooms))
    return file


def refusal(folder: Path, *rooms: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(folder, *rooms))
    return str(caught.value)


def test_two_displays_at_one_address_are_refused_with_both_names(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, room(1, samsung(port=4352)), room(2, pjlink()))
    assert "the network address '192.0.2.21 port 4352' is used by both" in sentence
    assert "'room-01-display' and 'room-02-display'" in sentence


def test_one_host_may_have_two_displays_at_two_ports(tmp_path: Path) -> None:
    read = read_settings(write(tmp_path, room(1, samsung()), room(2, pjlink())))
    kinds = plan_of(read).devices
    assert (kinds["room-01-display"], kinds["room-02-display"]) == ("samsung-mdc", "pjlink")


SECRET = "https://calendar.example/private-3f8a/room.ics"
MISTAKES = {
    "two calendars": (f'bookings_file = "a.ics"\nbookings_url = "{SECRET}"', "two calendars"),
    "a calendar in the clear": (f'bookings_url = "{SECRET.replace("https", "http")}"', "https:// address is needed"),
    "a password in the address": (
        'bookings_url = "https://me:private-3f8a@calendar.example/"',
        "without a name or password",
    ),
    "another protocol": ('bookings_url = "file:///private-3f8a"', "https:// address is needed"),
    "no address": ('bookings_url = "private-3f8a"', "https:// address is needed"),
    "a login without an address": ('bookings_login = "basic"', "no bookings_url"),
    "a secret for nothing": (f'bookings_url = "{SECRET}"\nbookings_secret_file = "s"', "say in bookings_login"),
    "too often": (f'bookings_url = "{SECRET}"\nbookings_every_s = 1', "at least 10 is needed"),
    "a display by name": (samsung("display.local"), "an IP address is needed"),
    "a display asked without pause": (samsung().replace("port", "poll_s = 0.1, port"), "at least 2 is needed"),
    "a display of no kind": ('display = { host = "192.0.2.21" }', "room[1].display.kind' is missing"),
    "a display of an unknown kind": (
        'display = { kind = "cec", host = "192.0.2.21" }',
        "its kind must be one of 'samsung-mdc', 'pjlink'",
    ),
    "a password for MDC": (samsung()[:-1] + ', password_file = "p" }', "is not known"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_sentence_and_a_private_address_is_not_in_it(mistake: str, tmp_path: Path) -> None:
    lines, words = MISTAKES[mistake]
    sentence = refusal(tmp_path, room(1, lines))
    assert words in sentence
    assert sentence.startswith(str(tmp_path / "site.toml"))
    assert "private-3f8a" not in sentence
    assert "\n" not in sentence


def test_a_calendar_s_address_is_printed_nowhere(tmp_path: Path) -> None:
    read = read_settings(write(tmp_path, room(1, f'bookings_url = "{SECRET}"')))
    assert read.room[0].bookings_url is not None
    assert read.room[0].bookings_url.get_secret_value() == SECRET
    assert "private-3f8a" not in read.model_dump_json() + str(read) + repr(read)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/a.ics", "http://localhost/a.ics", "https://192.0.2.1:8443/a"])
def test_a_calendar_may_be_encrypted_or_on_this_machine(url: str, tmp_path: Path) -> None:
    read_settings(write(tmp_path, room(1, f'bookings_url = "{url}"')))


def test_secrets_of_rooms_that_are_missing_are_found_before_the_start(tmp_path: Path) -> None:
    with_password = room(1, pjlink(more=', password_file = "room-01.display"'))
    read = read_settings(write(tmp_path, with_password))
    with pytest.raises(SettingsError, match="room-01-display"):
        check_room_secrets(read)
    (tmp_path / "room-01.display").write_text("secret\n")
    check_room_secrets(read)
    with_login = room(1, f'bookings_url = "{SECRET}"', 'bookings_login = "bearer"')
    with pytest.raises(SettingsError, match="'room-01-bookings' is missing"):
        check_room_secrets(read_settings(write(tmp_path, with_login)))
