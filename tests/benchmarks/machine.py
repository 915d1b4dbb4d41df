"""What the benchmarks ran on, in words: what anybody may read of a machine, and nothing that names it."""

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

GIB_KB = 1024 * 1024
"""In /proc/meminfo a kB is 1,024 bytes."""

ANSWERS_WITHIN_S = 10.0

DISKS = {
    "virtio": "a virtual disk",
    "xen": "a virtual disk",
    "nvme": "NVMe",
    "mmc": "an SD card or eMMC",
    "usb": "a disk on USB",
}
"""By what stands in the way of the device through the machine."""


def machine() -> str:
    """Return the machine and the programs of a run, in two sentences without their full stop."""
    uname = platform.uname()
    hardware = [
        f"{os.cpu_count()} cores of {processor(_read('/proc/cpuinfo')) or 'a processor that does not say its name'}",
        memory(_read("/proc/meminfo")),
        disk(Path(tempfile.gettempdir())),
        f"{uname.machine}, Linux {uname.release}",
    ]
    programs = [
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"PostgreSQL {_version(_postgres())}",
        f"Mosquitto {_version(shutil.which('mosquitto', path=_PATH), '-h')}",
    ]
    return f"{', '.join(hardware)}. {', '.join(programs)}"


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def processor(cpuinfo: str) -> str:
    """Return the name of the processor from what Linux says of it, empty where it says none (as on a Pi)."""
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def memory(meminfo: str) -> str:
    """Return how much memory there is, in whole GiB."""
    found = re.search(r"^MemTotal:\s*(\d+) kB$", meminfo, re.MULTILINE)
    return f"{round(int(found[1]) / GIB_KB)} GiB of memory" if found else "unknown memory"


def disk(folder: Path) -> str:
    """Return the kind of disk that holds a folder, where the databases of a run stand."""
    device = folder.stat().st_dev
    way = os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    kind = next((words for name, words in DISKS.items() if f"/{name}" in way), None)
    if kind is not None:
        return kind
    # A partition has no queue of its own: it is its disk's.
    turns = next((text for at in ("queue", "../queue") if (text := _read(f"{way}/{at}/rotational"))), "")
    return {"1": "a rotating disk", "0": "a solid-state disk"}.get(turns.strip(), "a disk of unknown kind")


def _read(name: str) -> str:
    """Return what a file of the kernel says, nothing where there is none."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError:
        return ""


def _postgres() -> str | None:
    """Return the newest server that Debian installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    return str(found[-1]) if found else shutil.which("postgres")


def _version(program: str | None, option: str = "--version") -> str:
    """Return the first number with a point in what a program says of itself."""
    if program is None:
        return "not installed"
    told = subprocess.run([program, option], capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False)
    return numbered(told.stdout + told.stderr)


def numbered(told: str) -> str:
    """Return the version in what a program says, such as 15.14 in `postgres (PostgreSQL) 15.14 (Debian ...)`."""
    found = re.search(r"\d+(?:\.\d+)+", told)
    return found[0] if found else "of unknown version"
