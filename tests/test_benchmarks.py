import platform
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from tests.benchmarks.figures import HEAD, Figure, merged, row
from tests.benchmarks.fleet_load import Load, flat, stored_bytes
from tests.benchmarks.machine import machine, memory, numbered, processor


def a_figure(name: str, measured: str) -> Figure:
    return Figure(name, "what", measured, "peer", "size", "reach", reached=True)


def test_a_benchmark_measured_again_replaces_its_lines_and_leaves_the_others() -> None:
    page = "\n".join(["# Benchmarks", *HEAD, row(a_figure("B1", "old"), "then"), row(a_figure("B10", "kept"), "then")])
    lines = merged(page, [row(a_figure("B2", "new"), "now"), row(a_figure("B1", "new"), "now")])
    assert [(line.split(" | ")[0], line.split(" | ")[2], line.split(" | ")[-1]) for line in lines] == [
        ("| B1", "new", "now |"),
        ("| B2", "new", "now |"),
        ("| B10", "kept", "then |"),
    ]


def test_several_lines_of_one_benchmark_keep_their_order() -> None:
    rows = [row(a_figure("B3", measured), "now") for measured in ("idle", "draining", "secured")]
    assert merged("", rows) == rows


def test_the_machine_is_told_by_what_it_is_and_not_by_its_name() -> None:
    told = machine()
    assert re.search(r"\d+ cores of .+, \d+ GiB of memory, .+disk.*, \w+, Linux .+\. Python 3", told) is not None
    assert all(program in told for program in ("Python", "SQLite", "PostgreSQL", "Mosquitto"))
    assert platform.node() not in told.split()
    assert tempfile.gettempdir() not in told


def test_the_processor_of_a_pi_and_of_a_server_are_read_where_each_says_it() -> None:
    assert processor("processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) Processor\n") == "Intel(R) Xeon(R) Processor"
    assert (
        processor("CPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n")
        == "Raspberry Pi 5 Model B Rev 1.0"
    )
    assert processor("processor\t: 0\n") == ""


def test_memory_and_versions_are_read() -> None:
    assert memory("MemTotal:       24684092 kB\nMemFree: 1 kB\n") == "24 GiB of memory"
    assert numbered("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)") == "15.14"
    assert numbered("mosquitto version 2.0.11\n\nmosquitto is an MQTT broker.") == "2.0.11"
    assert numbered("no such thing") == "of unknown version"


def a_load(cpu_s: float, *, equal: bool = True) -> Load:
    told = {"rate": 300.0, "events": 9_000, "played_days": 1.0, "equal": equal, "event_wait": {"p99_s": 0.1}}
    told["said"] = "the hub has each event that it must have" if equal else "the hub has something else"
    return Load(told, 0.4, 20.0, cpu_s)


def test_costs_are_flat_when_cpu_and_bytes_are_both_within_twice_the_cheapest() -> None:
    def reached(of_many: Load, day_bytes: float) -> list[bool]:
        return [line.reached for line in flat({10: a_load(0.001), 4_072: of_many}, {10: 70_000, 4_072: day_bytes})]

    assert reached(a_load(0.002), 130_000) == [True, True]
    assert reached(a_load(0.0021), 70_000) == [True, False]
    assert reached(a_load(0.001), 141_000) == [True, False]
    assert reached(a_load(0.001, equal=False), 70_000) == [True, False]


def test_the_size_of_a_database_counts_what_its_log_holds_once(tmp_path: Path) -> None:
    file = tmp_path / "hub.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("create table event (line blob)")
        for _ in range(50):
            writer.execute("delete from event")
            writer.execute("insert into event values (zeroblob(100000))")
        open_bytes, log_bytes = stored_bytes(file), (tmp_path / "hub.db-wal").stat().st_size
    assert open_bytes == stored_bytes(file) == file.stat().st_size
    assert log_bytes > 3 * open_bytes
