"""How a demo starts, ends and starts again: small demos of two or three sites."""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from simulators.folder import Folder
from tests.support.demo import STOPS_WITHIN_S, RunningDemo, program, until
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(400)
"""Two demos one after another take 40 s; of a machine that runs ten times slower, each wait has its own bound."""

SLEEPING = Path(__file__).parents[1] / "support" / "faketime"
"""What a Python under faketime needs to sleep."""


@pytest.fixture
def started() -> Iterator[list[RunningDemo]]:
    """Demos that a test has started; whatever is left of them is ended."""
    running: list[RunningDemo] = []
    yield running
    for each in running:
        each.give_up()


def _reckoning(demo: RunningDemo) -> dict[str, object]:
    demo.process.wait(60 + STOPS_WITHIN_S)
    answer = json.loads(demo.said().strip().splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def test_on_a_sunday_at_three_in_the_morning_it_runs_for_a_while_and_both_ends_are_equal(
    tmp_path: Path, started: list[RunningDemo], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("PYTHONPATH", str(SLEEPING))
    monkeypatch.setenv("TZ", "Europe/Paris")
    before = ("faketime", "-f", "@2026-11-22 03:00:00")
    started.append(sunday := RunningDemo.start(tmp_path, "--sites", "3", "--for", "20", before=before))
    sunday.comes_up()
    until(lambda: sunday.sim("tap", "murat").returncode == 0, within_s=60, what="the door of Murat opens")
    assert sunday.get("/api/v1/live")["generated_at"].startswith("2026-11-22T02:0"), "an hour earlier in UTC"
    first = _reckoning(sunday)
    assert sunday.process.returncode == 0, sunday.said()
    assert first["equal"] is True
    for name in ("FAKETIME_DONT_FAKE_MONOTONIC", "PYTHONPATH", "TZ"):
        monkeypatch.delenv(name)
    started.append(RunningDemo.start(tmp_path, "--sites", "3", "--for", "5"))
    second = _reckoning(started[1])
    assert second["equal"] is True, "a second start resumes"
    assert int(str(second["edge_events"])) > int(str(first["edge_events"]))


def test_a_killed_demo_leaves_no_process_and_the_next_one_starts_at_once(
    tmp_path: Path, started: list[RunningDemo]
) -> None:
    started.append(demo := RunningDemo.start(tmp_path, "--sites", "2"))
    demo.comes_up()
    children = psutil.Process(demo.process.pid).children(recursive=True)
    demo.process.send_signal(signal.SIGKILL)
    demo.process.wait(10)
    started.append(again := RunningDemo.start(tmp_path, "--sites", "2", "--for", "3"))
    _, alive = psutil.wait_procs(children, timeout=45)
    assert alive == []
    assert _reckoning(again)["equal"] is True, again.said()
    assert not Folder(demo.state).run.exists()


def test_a_taken_port_gets_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        ended = subprocess.run(
            [program("telecentre-sim"), "demo", "--port", port, "--state", str(tmp_path / "state")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"Port {port} of 127.0.0.1" in ended.stderr
    assert "--port" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_more_sites_than_there_are_is_a_usage_error(tmp_path: Path) -> None:
    command = [program("telecentre-sim"), "demo", "--sites", "11", "--port", str(free_port()), "--state", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "choose from 1 to 10" in ended.stderr


def test_without_a_demo_a_tap_says_how_to_start_one(tmp_path: Path) -> None:
    command = [program("telecentre-sim"), "tap", "murat", "--state", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("no demo runs there: start one with")
