"""`telecentre-hub member|pass|badge|free-access`: what animators type, what they are told, and what then holds."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main
from tests.support.telecentres import cantal

NAME = "Ada Canary"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    cantal(tmp_path).close()
    file = tmp_path / "hub.toml"
    file.write_text('[database]\nfile = "hub.db"\n')
    return file


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(config)])


def told(config: Path, *arguments: str) -> Any:  # noqa: ANN401 -- JSON
    result = run(config, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def a_pass(config: Path, *where: str) -> str:
    member = told(config, "member", "add", NAME, "--email", "ada@example.org")["member"]
    terms = (
        "--category",
        "self_employed",
        "--from",
        "2026-01-01",
        "--until",
        "2027-01-01",
        "--window",
        "Mo-Fr 8:00-19:00",
    )
    made: str = told(config, "pass", "add", member, *terms, *(where or ("--everywhere",)))["pass"]
    return made


def a_badge(config: Path, *options: str) -> dict[str, Any]:
    made: dict[str, Any] = told(config, "badge", "add", a_pass(config), *options)
    return made


def refusal(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert len(result.output.strip().splitlines()) == 1
    return result.output


def test_a_member_gets_a_pass_and_a_badge_with_a_random_label(config: Path) -> None:
    badge = a_badge(config)
    assert (badge["class"], badge["state"], badge["emergency"]) == ("secured", "active", False)
    assert len(bytes.fromhex(badge["badge"])) == 16
    shown = run(config, "badge", "show", badge["label"].lower()).output
    assert badge["label"] in shown
    assert "from 2026-01-01 until 2027-01-01 (not included); every site of the network; Mo-Fr 08:00-19:00" in shown


def test_a_member_is_found_by_a_part_of_the_name(config: Path) -> None:
    a_pass(config)
    assert NAME in run(config, "member", "list", "--search", "canar").output
    assert run(config, "member", "list", "--search", "nobody").output.strip() == ""


def test_members_whose_passes_are_all_over_can_be_listed_to_be_forgotten(config: Path) -> None:
    made = a_pass(config)
    member = told(config, "pass", "show", made)["member"]
    told(config, "pass", "change", made, "--no-end")
    assert told(config, "member", "list", "--over")["members"] == []
    told(config, "pass", "change", made, "--until", "2026-01-02")
    assert [one["member"] for one in told(config, "member", "list", "--over")["members"]] == [member]


@pytest.mark.parametrize(
    ("command", "state"), [("lost", "lost"), ("stolen", "stolen"), ("disable", "disabled"), ("enable", "active")]
)
def test_a_badge_is_put_in_a_state_by_its_label(config: Path, command: str, state: str) -> None:
    label = a_badge(config)["label"]
    assert told(config, "badge", command, label)["state"] == state


def test_what_a_badge_was_before_is_kept_to_explain_a_decision(config: Path) -> None:
    label = a_badge(config)["label"]
    for command in ("lost", "enable"):
        told(config, "badge", command, label)
    history = told(config, "badge", "show", label)["history"]
    assert [one["state"] for one in history] == ["active", "lost", "active"]


def test_what_a_pass_allowed_before_is_kept(config: Path) -> None:
    made = a_pass(config)
    told(config, "pass", "change", made, "--any-time", "--no-end", "--site", "murat", "--holidays")
    before, after = told(config, "pass", "show", made)["history"]
    assert (before["windows"], before["valid_until"], before["sites"]) == ("Mo-Fr 08:00-19:00", "2027-01-01", None)
    assert (after["windows"], after["valid_until"], after["sites"], after["holidays"]) == (None, None, ["murat"], True)


def test_a_pass_that_is_ended_takes_no_badge_and_no_change(config: Path) -> None:
    made = a_pass(config)
    told(config, "pass", "remove", made)
    assert "this pass was ended" in refusal(run(config, "badge", "add", made))
    assert "this pass was ended" in refusal(run(config, "pass", "change", made, "--any-time"))


def test_a_badge_that_was_removed_is_not_listed_and_cannot_come_back(config: Path) -> None:
    label = a_badge(config)["label"]
    told(config, "badge", "remove", label)
    assert told(config, "badge", "list")["badges"] == []
    assert "was removed from the register" in refusal(run(config, "badge", "enable", label))


def test_a_badge_id_is_given_once(config: Path) -> None:
    badge = a_badge(config, "--badge-id", "ab" * 16)
    again = run(config, "badge", "add", badge["pass"], "--badge-id", "AB" * 16)
    assert "is another badge's already" in refusal(again)


def test_the_number_of_a_card_is_refused_as_a_badge_id_and_not_repeated(config: Path) -> None:
    result = run(config, "badge", "add", a_pass(config), "--badge-id", "04A2B3C4D5E6F7")
    assert "04A2" not in refusal(result)


def test_a_badge_known_by_its_number_belongs_to_one_site(config: Path) -> None:
    badge = a_badge(config, "--uid-site", "murat")
    assert (badge["class"], badge["site"], badge["badge"]) == ("uid", "murat", None)
    assert "'paris' is not in the register" in refusal(
        run(config, "badge", "add", badge["pass"], "--uid-site", "paris")
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("member", "show", "nobody"), "no member has the id 'nobody'"),
        (("pass", "show", "none"), "no pass has the id 'none'"),
        (("badge", "lost", "Z9-Z9Z"), "no badge has the label 'Z9-Z9Z'"),
        (("member", "add", " "), "a member needs a name"),
        (("member", "add", "Ada", "--network", "mars"), "name the network: cantal"),
        (
            ("free-access", "add", "murat", "door-09", "--from", "2026-12-05", "--until", "2026-12-06"),
            "no door 'door-09'",
        ),
        (
            ("free-access", "add", "murat", "door-01", "--from", "2026-12-05", "--until", "2026-12-08"),
            "at most 36 hours",
        ),
        (("free-access", "remove", "murat", "door-01", "--from", "2026-12-05"), "no event of this door begins then"),
        (("site", "key", "murat", "xyz"), "a public key has 64 hexadecimal digits"),
        (("site", "key", "paris", "ab" * 32), "'paris' is not in the register"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_1(config: Path, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refusal(run(config, *arguments))


@pytest.mark.parametrize("left_out", ["--category", "--from", "--everywhere", "--window"])
def test_a_pass_is_not_given_by_what_was_left_out(config: Path, left_out: str) -> None:
    member = told(config, "member", "add", NAME)["member"]
    options = {"--category": "visitor", "--from": "2026-01-01", "--window": "Mo 8:00-9:00"}
    given = [part for name, value in options.items() if name != left_out for part in (name, value)]
    everywhere = [] if left_out == "--everywhere" else ["--everywhere"]
    assert run(config, "pass", "add", member, *given, *everywhere).exit_code == 2


def test_an_event_day_is_kept_in_the_time_of_the_site(config: Path) -> None:
    event = ("murat", "door-01", "--from", "2099-12-05T09:00")
    told(config, "free-access", "add", *event, "--until", "2099-12-05T18:00")
    assert (
        run(config, "free-access", "list").output == "murat  door-01  2099-12-05T08:00:00Z until 2099-12-05T17:00:00Z\n"
    )
    told(config, "free-access", "remove", *event)
    assert run(config, "free-access", "list").output.strip() == ""


def test_a_member_who_is_removed_leaves_no_name_in_the_files(config: Path) -> None:
    badge = a_badge(config)
    member = told(config, "pass", "show", badge["pass"])["member"]
    done = told(config, "member", "remove", member, "--reason", "asked on 3 March")
    assert done["badges"] == 1
    assert told(config, "badge", "show", badge["label"])["state"] == "disabled"
    assert told(config, "pass", "show", badge["pass"])["ended"]
    assert told(config, "member", "show", member)["name"] is None
    with sqlite3.connect(config.parent / "hub.db") as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    for file in config.parent.iterdir():
        assert NAME.encode() not in file.read_bytes(), file
        assert b"ada@example.org" not in file.read_bytes(), file


def test_a_removal_may_be_repeated(config: Path) -> None:
    member = told(config, "member", "add", NAME)["member"]
    for _ in range(2):
        told(config, "member", "remove", member, "--reason", "asked")
    assert "was removed" in refusal(run(config, "member", "change", member, "--name", "Ada"))


def test_a_member_is_corrected_where_something_was_said(config: Path) -> None:
    member = told(config, "member", "add", NAME, "--organisation", "Analytique")["member"]
    told(config, "member", "change", member, "--name", "Ada Lovelace")
    shown = told(config, "member", "show", member)
    assert (shown["name"], shown["organisation"]) == ("Ada Lovelace", "Analytique")


GOOD = "name;email;category;valid_from;valid_until;sites;windows;holidays;badge;state\n"
LINE = "Ada;;visitor;2026-01-01;2026-01-08;murat;Mo 8:00-9:00;no;\n"


def imported(config: Path, text: str, *options: str) -> Result:
    file = config.parent / "members.csv"
    file.write_text(text, encoding="utf-8")
    return run(config, "member", "import", str(file), *options)


def test_a_file_is_imported_whole(config: Path) -> None:
    lines = [
        "Ada;a@example.org;visitor;2026-01-01;2026-01-08;murat aurillac;Lu-Ve 8:00-9:00 | Sa 9:00-12:00;oui;"
        + "ab" * 16,
        "Ada;a@example.org;employee;2026-02-01;;*;;;",
        "Grace;;staff;2026-01-01;;*;;yes;",
    ]
    assert imported(config, "\ufeff" + GOOD + "\n".join(lines)).output == "2 members, 3 passes, 1 badges added.\n"
    passes = told(config, "pass", "list")["passes"]
    assert sorted(one["category"] for one in passes) == ["employee", "staff", "visitor"]
    (visitor,) = (one for one in passes if one["category"] == "visitor")
    assert (visitor["sites"], visitor["windows"]) == (["murat", "aurillac"], "Mo-Fr 08:00-09:00 | Sa 09:00-12:00")


def test_a_badge_begins_in_the_state_that_its_line_says(config: Path) -> None:
    states = ("", "Lost", "stolen", "disabled", "active")
    lines = [
        LINE.replace("Ada", f"Ada{n}").replace(";no;", f";no;{n:032x};{state}") for n, state in enumerate(states, 1)
    ]
    assert imported(config, GOOD + "".join(lines)).exit_code == 0
    badges = sorted(told(config, "badge", "list")["badges"], key=lambda badge: str(badge["badge"]))
    assert [badge["state"] for badge in badges] == ["active", "lost", "stolen", "disabled", "active"]


def test_commas_and_quotes_are_understood(config: Path) -> None:
    text = 'name,category,valid_from,sites,windows\n"Ada, B",visitor,2026-01-01,*,"Mo 8:00-9:00,10:00-11:00"\n'
    assert imported(config, text).exit_code == 0


def test_a_check_says_what_would_be_done_and_does_nothing(config: Path) -> None:
    result = imported(config, GOOD + LINE, "--check")
    assert (result.exit_code, result.output) == (0, "1 members, 1 passes, 0 badges would be added.\n")
    assert told(config, "member", "list")["members"] == []


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ("Mo 8:00-9:00", "Mo 8:00-10:00 | Mo 9:00-11:00", "two windows overlap on Mo: 08:00-10:00 and 09:00-11:00"),
        ("Mo 8:00-9:00", "Mo 9:00-8:00", "ends before it starts"),
        ("Mo 8:00-9:00", "Mo 8:00-25:00", "is not between 00:00 and 24:00"),
        ("murat", "paris", "the site 'paris' is not in the register"),
        ("murat", "Murat!", "the site 'Murat!' is not in the register"),
        ("murat", "", "no site is named"),
        ("visitor", "king", "'king' is not a category"),
        ("2026-01-08", "2025-01-08", "the validity ends at 2025-01-08, which is not after its start at 2026-01-01"),
        ("2026-01-01", "01/01/2026", "is not a date such as 2026-01-01"),
        ("Ada", "", "a member needs a name"),
        (";;visitor", ";nonsense;visitor", "this is not an e-mail address"),
        (";no;", ";maybe;", "says neither yes nor no"),
        (";no;", ";no;04A2B3C4D5E6F7", "the number of a card is not one"),
        (";no;", ";no;;;;more", "the line has more cells than there are columns"),
        (";no;", ";no;" + "cd" * 16 + ";gone", "'gone' is no state of a badge: active, lost, stolen, disabled"),
        (";no;", ";no;;lost", "a state is a badge's, and the line has no badge"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_nothing_is_imported(
    config: Path, was: str, becomes: str, reason: str
) -> None:
    good = LINE.replace("Ada", "Grace")
    result = imported(config, GOOD + good + LINE.replace(was, becomes, 1))
    assert result.exit_code == 1
    assert result.output.splitlines()[0].startswith("line 3: ")
    assert reason in result.output
    assert "1 bad lines: nothing was imported." in result.output
    assert "04A2" not in result.output
    assert told(config, "member", "list")["members"] == []


def test_a_pass_that_is_there_twice_is_told_with_the_other_line(config: Path) -> None:
    result = imported(config, GOOD + LINE + LINE.replace("2026-01-01", "2026-01-05"))
    assert "line 3: this member has a pass of this category for that time already (line 2)" in result.output


def test_a_pass_that_is_in_the_register_already_is_told(config: Path) -> None:
    assert imported(config, GOOD + LINE).exit_code == 0
    assert (
        "line 2: this member has a pass of this category for that time already (in the register)"
        in imported(config, GOOD + LINE).output
    )


def test_passes_that_follow_one_another_are_no_duplicates(config: Path) -> None:
    later = LINE.replace("2026-01-08", "2026-02-01").replace("2026-01-01", "2026-01-08")
    assert imported(config, GOOD + LINE + later).exit_code == 0


def test_a_badge_id_that_is_there_twice_is_told(config: Path) -> None:
    lines = [LINE.replace("Ada", name).replace(";no;", ";no;" + "ab" * 16) for name in ("Ada", "Grace")]
    assert "line 3: this badge id is there already (line 2)" in imported(config, GOOD + "".join(lines)).output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file is empty"),
        ("name;category;sites\n", "the column 'valid_from' is missing"),
        ("name;category;valid_from;sites;iban\n", "the column 'iban' is not known"),
        ("name;name;category;valid_from;sites\n", "the column 'name' is there twice"),
        ('name;category;valid_from;sites\n"Ada', "the file is not CSV"),
    ],
)
def test_a_file_that_is_no_such_file_is_one_sentence(config: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(imported(config, text))


def test_a_file_in_another_encoding_is_one_sentence(config: Path) -> None:
    file = config.parent / "members.csv"
    file.write_bytes((GOOD + LINE.replace("Ada", "Zoé")).encode("cp1252"))
    assert "save it as 'CSV UTF-8'" in refusal(run(config, "member", "import", str(file)))
    assert "cannot be read" in refusal(run(config, "member", "import", str(file.with_name("absent.csv"))))


def test_a_restored_copy_forgets_again_who_was_removed_since(config: Path) -> None:
    badge = a_badge(config)
    member = told(config, "pass", "show", badge["pass"])["member"]
    copy = config.parent / "copy.db"
    told(config, "backup", str(copy))
    told(config, "member", "remove", member, "--reason", "asked on 3 March")
    told(config, "restore", str(copy))
    assert told(config, "member", "show", member)["name"] is None
    assert told(config, "pass", "show", badge["pass"])["ended"]
    assert told(config, "badge", "show", badge["label"])["state"] == "disabled"
    assert NAME.encode() not in (config.parent / "hub.db").read_bytes()
    assert told(config, "rights", "status")["held"]
    assert told(config, "rights", "resume")["held"]
    assert not told(config, "rights", "status")["held"]
