"""What is shipped works alone: the wheel, in an environment of its own, started from another folder, no network."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
COMMANDS: list[str] = list(PROJECT["project"]["scripts"])


def run(*command: str | Path, cwd: Path = Path("/")) -> str:
    """Return what a command prints, run without the variables by which Python could find the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of a new environment that holds the wheel, and our dependencies without the checkout.

    The dependencies are those of the running environment, one link each. Its editable install of telecentre is left
    out, and a folder named in a .pth file has its own .pth files ignored: nothing leads back to the checkout.
    """
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    here = Path(run(sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for entry in here.iterdir():
        ours = entry.name.startswith(("telecentre", "_telecentre", "__editable__")) or entry.name in PACKAGES
        if not ours and entry.suffix != ".pth" and entry.name != "__pycache__":
            (dependencies / entry.name).symlink_to(entry)
    (site / "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel)
    return folder / "venv" / "bin"


def test_the_wheel_holds_the_five_packages_whole_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PACKAGES, cwd=ROOT)
    assert names == {name for name in listing.split("\0") if name and (ROOT / name).is_file()}


def test_the_wheel_carries_its_licence_and_must_not_be_uploaded(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        metadata = archive.read(f"{info}/METADATA").decode()
    assert "License-Expression: EUPL-1.2" in metadata
    assert "Classifier: Private :: Do Not Upload" in metadata


def test_the_code_that_runs_is_the_wheel_and_not_the_checkout(installed: Path) -> None:
    script = f"import importlib, json; print(json.dumps([importlib.import_module(n).__file__ for n in {PACKAGES}]))"
    places = json.loads(run(installed / "python", "-c", script))
    assert all(Path(place).is_relative_to(installed.parent) for place in places)
    path = json.loads(run(installed / "python", "-c", "import json, sys; print(json.dumps(sys.path))"))
    assert str(ROOT) not in path


def test_the_generic_package_names_belong_to_us_alone(installed: Path) -> None:
    script = "import importlib.metadata, json; print(json.dumps(importlib.metadata.packages_distributions()))"
    owners = json.loads(run(installed / "python", "-c", script))
    assert {name: owners.get(name) for name in PACKAGES} == {name: ["telecentre"] for name in PACKAGES}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_from_another_folder(installed: Path, command: str) -> None:
    assert "Usage:" in run(installed / command, "--help")


def test_gpiozero_finds_the_simulated_pins_of_the_wheel(installed: Path) -> None:
    script = (
        "from importlib.metadata import entry_points\n"
        "print(entry_points(group='gpiozero_pin_factories')['telecentre-sim'].load().__name__)"
    )
    assert run(installed / "python", "-c", script).strip() == "SimulatedFactory"
