"""The repository keeps its own rules: imports, files, decisions, and nothing of the machine on which it was written."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
MAX_LINES = 400
MAX_TEST_LINES = 500
"""A test of a state machine keeps its oracle beside it."""


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the repository that git holds or would take."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip("this is not a git work tree")
    names = [name for name in done.stdout.decode().split("\0") if name]
    return tuple(path for path in (ROOT / name for name in names) if path.is_file())


def texts() -> list[tuple[str, str]]:
    """Return name and content of every file that is UTF-8 text."""
    found: list[tuple[str, str]] = []
    for path in files():
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages() -> list[str]:
    names: list[str] = pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return names


def test_imports_go_in_the_directions_that_the_contracts_allow() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout


def test_every_package_is_shipped_typed_and_watched_by_the_import_rules() -> None:
    assert pyproject()["tool"]["importlinter"]["root_packages"] == packages()
    for name in packages():
        assert (ROOT / name / "py.typed").is_file()


def test_a_part_of_the_hub_that_calls_itself_pure_is_held_to_it() -> None:
    contracts = {contract["name"]: contract for contract in pyproject()["tool"]["importlinter"]["contracts"]}
    held = contracts["the pure parts know no I/O, clock, thread or device"]["source_modules"]
    first_lines = {file: file.read_text(encoding="utf-8").partition("\n")[0] for file in (ROOT / "hub").glob("*.py")}
    called = {f"hub.{file.stem}" for file, line in first_lines.items() if re.search(r"\b[Pp]ure\b", line)}
    assert "hub.visits" in called
    assert called - set(held) == set()


INSIDE = {
    "hub.commands": "at_once badges draft enrol journal keys members options passes restored show",
    "hub.routes": "alarms answers attention cards context decision_lines decisions device_lines devices docs doors "
    "figures health indicators live occupancy pages period place_lines places statistics stream visits",
}
"""What shows somebody of the network what the store holds, or helps to; none of it is published."""

GATED = {"hub.commands": "export", "hub.routes": ""}
"""What is published. A module in here is held to the gate by an import rule."""


def unnamed(folder: Path, package: str) -> set[str]:
    """Return the modules of a package that are neither inside nor behind the gate."""
    found = {".".join(file.relative_to(folder).with_suffix("").parts) for file in folder.rglob("*.py")}
    return found - {"__init__"} - set(INSIDE[package].split()) - set(GATED[package].split())


@pytest.mark.parametrize("package", sorted(INSIDE))
def test_a_module_that_could_publish_is_known_to_stay_inside_or_is_held_to_the_gate(package: str) -> None:
    assert unnamed(ROOT / Path(*package.split(".")), package) == set()
    rules = [rule for rule in pyproject()["tool"]["importlinter"]["contracts"] if rule["name"].startswith("the export")]
    held = {module for rule in rules for module in rule["source_modules"]}
    assert {f"{package}.{name}" for name in GATED[package].split()} <= held


def test_a_new_command_that_nobody_has_named_is_found(tmp_path: Path) -> None:
    for name in ("export", "opendata", "open/data"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("", encoding="utf-8")
    assert unnamed(tmp_path, "hub.commands") == {"opendata", "open.data"}


def test_decisions_are_numbered_without_hole_or_double_and_listed_in_the_architecture() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [page.name for page in pages if f"docs/decisions/{page.name}" not in architecture] == []


def test_a_decision_says_date_status_and_outcome_first() -> None:
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert re.match(rf"# {page.name[:4]} .+\n\nDate: \d{{4}}-\d\d-\d\d · Status: \w+", text), page.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings[0] == "Outcome", page.name
        assert {"Context", "Consequences"} <= set(headings), page.name


def test_the_map_of_the_readme_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folders = {path.relative_to(ROOT).parts[0] for path in files() if len(path.relative_to(ROOT).parts) > 1}
    assert [name for name in sorted(folders) if f"`{name}/`" not in readme] == []


def test_the_changelog_knows_the_version() -> None:
    version = pyproject()["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# The patterns are put together here so that this file does not contain what it looks for.
FORBIDDEN = {
    "a folder of somebody's machine": r"(?<![\w.$}~])/(?:"
    + "|".join(["wo" + "rk", "ho" + "me", "ro" + "ot", "tm" + "p"])
    + r")/",
    "the address of a package index": "|".join(
        [
            r"https?://\S+/sim" + r"ple\b",
            "pythonho" + "sted",
            r"registry\.np" + "mjs",
            r"py" + r"pi\.org",
            "extra-index" + "-url",
        ]
    ),
    "unfinished work": r"\b(?:TO" + "DO|FIX" + r"ME)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [f"{name}: {match.group()}" for name, text in texts() if (match := pattern.search(text))]
    assert found == []


def test_there_is_one_place_for_pinned_versions() -> None:
    locks = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock", "Cargo.lock"}
    assert [path.name for path in files() if path.name in locks] == []


def test_the_pinned_requirements_name_no_address_and_hash_everything() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("==") > 0
        for entry in re.findall(r"^[^\s#].*(?:\n\s+.*)*", text, re.MULTILINE):
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_a_python_file_fits_in_the_head() -> None:
    counts = {name: text.count("\n") for name, text in texts() if name.endswith(".py")}
    bound = {name: MAX_TEST_LINES if name.startswith("tests/") else MAX_LINES for name in counts}
    assert {name: count for name, count in counts.items() if count > bound[name]} == {}
