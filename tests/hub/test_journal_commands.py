"""`telecentre-hub journal`: what an animator types, what is answered, and what is kept of it."""

import json
import os
import pwd
from pathlib import Path

import pytest

from hub.commands.journal import who
from hub.passes import NewBadge, Person, Terms, read_moment
from hub.store import Store, wall_ms
from hub.store.pass_changes import add_badge, add_member, add_pass
from tests.hub.test_hub_cli import config, imported, run
from tests.hub.test_receiver import NOW, access, batch

__all__ = ["config"]  # fixtures

REASON = ("--reason", "the door was left open")
SINCE = ("--from", "2026-01-01")


@pytest.fixture
def label(config: Path) -> str:
    """Return the label of Ada's badge, which was let in at Murat just now."""
    imported(config).close()
    store, now_ms = Store(config.parent / "hub.db"), wall_ms()
    with store.changed() as connection:
        member = add_member(connection, None, Person("Ada Canary"), now_ms - 60_000, os.urandom)
        terms = Terms("self_employed", read_moment("2026-01-01"))
        pass_id = add_pass(connection, member, terms, now_ms - 60_000, os.urandom)
        badge = add_badge(connection, pass_id, NewBadge(), now_ms - 60_000, os.urandom)
    line = access().replace(str(NOW).encode(), str(now_ms).encode())
    writer = store.writer()
    with writer.transaction():
        writer.receive(batch(line, persons={1: badge.credential}), now_ms)
    writer.close()
    store.close()
    return badge.label


def test_a_journal_is_one_line_a_decision(config: Path, label: str) -> None:
    for asked in (("badge", label), ("site", "murat")):
        answer = run("journal", *asked, *SINCE, *REASON, "--config", config)
        assert answer.exit_code == 0, answer.output
        (line,) = answer.output.splitlines()
        assert f"  murat door-01  GRANTED  {label} Ada Canary  The door opens." in line


def test_a_journal_is_json_for_a_program(config: Path, label: str) -> None:
    answer = json.loads(run("journal", "badge", label, *SINCE, *REASON, "--config", config, "--json").output)
    (row,) = answer["journal"]
    assert (row["site"], row["door"], row["reason"], row["badge"]) == ("murat", "door-01", "GRANTED", label)
    assert (row["name"], row["notes"], answer["is_cut"]) == ("Ada Canary", [], False)
    member = run("journal", "member", row["member"], *SINCE, *REASON, "--config", config, "--json")
    assert json.loads(member.output)["journal"] == [row]


def test_no_credential_id_leaves_the_journal(config: Path, label: str) -> None:
    credential = json.loads(run("badge", "show", label, "--config", config, "--json").output)["credential"]
    for more in ((), ("--json",)):
        assert credential not in run("journal", "site", "murat", *SINCE, *REASON, "--config", config, *more).output
        assert credential not in run("journal", "readings", "--config", config, *more).output


def test_an_empty_period_says_so(config: Path, label: str) -> None:
    answer = run("journal", "badge", label, *SINCE, "--to", "2026-01-02", *REASON, "--config", config)
    assert answer.output == "Nothing in this period; nothing older than 90 days is kept.\n"


@pytest.mark.parametrize("missing", [SINCE, REASON])
def test_a_period_and_a_reason_are_demanded(config: Path, label: str, missing: tuple[str, ...]) -> None:
    given = [option for option in (SINCE, REASON) if option != missing]
    answer = run("journal", "badge", label, *given[0], "--config", config)
    assert answer.exit_code == 2
    assert f"Missing option '{missing[0]}'" in answer.output
    assert run("journal", "readings", "--config", config).output == "Nobody has read the journal.\n"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("badge", "XX-XXX", *SINCE, *REASON), "no badge has the label 'XX-XXX'"),
        (("member", "nobody", *SINCE, *REASON), "no member has the id 'nobody'"),
        (("site", "paris", *SINCE, *REASON), "the site 'paris' is not in the register"),
        (("site", "murat", *SINCE, "--reason", " "), "a reason is needed to read the journal"),
        (("site", "murat", "--from", "yesterday", *REASON), "'yesterday' is not a date such as 2026-01-01"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_one_sentence(
    config: Path, label: str, asked: tuple[str, ...], sentence: str
) -> None:
    answer = run("journal", *asked, "--config", config)
    assert answer.exit_code == 1
    assert sentence in answer.output
    assert len(answer.output.splitlines()) == 1
    assert label not in answer.output


def test_the_readings_say_who_read_what_and_why(config: Path, label: str) -> None:
    run("journal", "badge", label, *SINCE, *REASON, "--config", config)
    (line,) = run("journal", "readings", "--config", config).output.splitlines()
    assert f"  {who()}  badge {label}  from 2026-01-01  1 rows  the door was left open" in line
    (kept,) = json.loads(run("journal", "readings", "--config", config, "--json").output)["readings"]
    assert (kept["reader"], kept["subject"], kept["answered"]) == (who(), label, 1)


def test_a_reading_after_an_erasure_shows_nobody(config: Path, label: str) -> None:
    run("journal", "badge", label, *SINCE, *REASON, "--config", config)
    credential = json.loads(run("badge", "show", label, "--config", config, "--json").output)["credential"]
    assert run("erase", credential, "--reason", "asked", "--config", config).exit_code == 0
    (line,) = run("journal", "readings", "--config", config).output.splitlines()
    assert "  badge (erased)  " in line
    assert label not in line


@pytest.mark.parametrize(
    ("login", "told"),
    [
        (None, "{own}"),
        ("4294967295", "{own}"),
        ("{uid}", "{own}"),
        ("nonsense", "{own}"),
        ("4123456789", "user 4123456789 as {own}"),
    ],
)
def test_who_reads_is_who_logged_in_whatever_user_the_command_runs_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str | None, told: str
) -> None:
    for name in ("LOGNAME", "USER", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    file = tmp_path / "loginuid"
    if login is not None:
        file.write_text(login.format(uid=os.geteuid()))
    assert who(file) == told.format(own=pwd.getpwuid(os.geteuid()).pw_name)
