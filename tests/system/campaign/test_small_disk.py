"""A data partition of a few megabytes: full, read-only, absent, and what the outbox makes of it."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.outbox import StorageError, prepare_folder, read_status
from edge.outbox.outbox import QUEUE_EVENTS
from tests.support.events import PERSON, access, alive, desk
from tests.support.outbox_agent import Agent, stored_count, ups
from tests.support.waiting import eventually

pytestmark = [pytest.mark.needs_mount, pytest.mark.timeout(300)]

SIZE_MB = 8
LONG_S = 90.0
"""The outbox looks again after 1, 2, 4... s: a recovery is seen after at most as long as the trouble lasted."""


class Partition:
    """An ext4 file system in a file, mounted where the outbox is."""

    def __init__(self, folder: Path, *, block_bytes: int = 4096) -> None:
        self.mount_point = folder / "data"
        self.mount_point.mkdir()
        self._image = folder / "image"
        with self._image.open("wb") as image:
            image.truncate(SIZE_MB * 1_000_000)
        run("mkfs.ext4", "-q", "-F", "-b", str(block_bytes), str(self._image))

    def mount(self) -> None:
        """Mount it, after the check that a boot would make."""
        subprocess.run(["e2fsck", "-fy", str(self._image)], capture_output=True, timeout=60, check=False)
        run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.mount_point))

    def unmount(self) -> None:
        """Unmount it as soon as nobody has a file open there."""
        eventually(lambda: tried("umount", str(self.mount_point)), what="unmounted")

    def fail(self) -> None:
        """Make the kernel take it for damaged: it becomes read-only under the files that are open."""
        run("mount", "-o", "remount,abort", str(self.mount_point))

    def protect(self, *, read_only: bool) -> None:
        """Remount it read-only, as an administrator does, or writable again; nobody may have a file open to write."""
        run("mount", "-o", f"remount,{'ro' if read_only else 'rw'}", str(self.mount_point))

    def fill(self) -> Path:
        """Fill it to the last block; return what to delete to have room again."""
        ballast = self.mount_point / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size_bytes in (65_536, 1_024):
                fill_with(file.fileno(), size_bytes)
        return ballast


def fill_with(file: int, size_bytes: int) -> None:
    """Write pieces until the disk takes no more."""
    try:
        while os.write(file, bytes(size_bytes)) == size_bytes:
            pass
    except OSError:
        return


def tried(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def run(*command: str) -> None:
    subprocess.run(command, capture_output=True, timeout=60, check=True)


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed (apt install e2fsprogs)")
    disk = Partition(tmp_path)
    try:
        disk.mount()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the kernel does not let us mount a file: {error.stderr.decode().strip()}")
    yield disk
    tried("umount", "-l", str(disk.mount_point))


@pytest.fixture
def agent(partition: Partition) -> Iterator[Agent]:
    prepare_folder(partition.mount_point / "outbox")
    running = Agent(partition.mount_point / "outbox").start()
    yield running
    running.stop()


def has_taken(agent: Agent, put: int) -> bool:
    """Return whether each event put is either stored or refused."""
    return stored_count(agent.outbox) + agent.outbox.status().refused_count == put


def degraded(agent: Agent) -> bool:
    return agent.outbox.status().storage == "degraded"


def test_events_of_a_full_disk_wait_in_memory_and_are_stored_when_there_is_room(
    partition: Partition, agent: Agent
) -> None:
    agent.store(*[desk(number) for number in range(100)])
    ballast = partition.fill()
    put = 100
    while not degraded(agent) and put < QUEUE_EVENTS:
        agent.put(*[desk(number) for number in range(put, put + 50)])
        put += 50
        threading.Event().wait(0.05)
    assert degraded(agent), "the health document says so"
    agent.put(access(put), person=PERSON)
    assert read_status(agent.settings).events >= 100, "what was stored can be read"
    ballast.unlink()
    eventually(lambda: stored_count(agent.outbox) == put + 1, what="recovered alone", within_s=LONG_S)
    eventually(lambda: not degraded(agent), what="the health document is well again")
    assert ups(agent.outbox) == list(range(put + 1))
    assert agent.new_streams == 1, "all states are said again"


def test_a_disk_that_fails_is_waited_for_and_nothing_is_written_under_its_mount_point(
    partition: Partition, agent: Agent
) -> None:
    agent.store(*[desk(number) for number in range(100)])
    partition.fail()
    agent.put(*[desk(number) for number in range(100, 150)])
    eventually(lambda: degraded(agent), what="degraded")
    partition.unmount()
    agent.put(*[desk(number) for number in range(150, 200)])
    eventually(lambda: agent.outbox.status().storage == "degraded", what="still degraded")
    assert list(partition.mount_point.iterdir()) == [], "nothing is buffered under the mount point"
    partition.mount()
    eventually(lambda: stored_count(agent.outbox) == 200, what="recovered alone", within_s=LONG_S)
    assert ups(agent.outbox) == list(range(200))


def test_an_agent_that_starts_on_a_read_only_disk_waits_until_it_can_be_written(partition: Partition) -> None:
    folder = partition.mount_point / "outbox"
    prepare_folder(folder)
    first = Agent(folder).start()
    first.store(desk(0))
    first.stop()
    partition.protect(read_only=True)
    agent = Agent(folder).start()
    agent.put(*[desk(number) for number in range(1, 50)])
    eventually(lambda: degraded(agent), what="degraded")
    report = read_status(agent.settings)
    assert (report.storage, report.events) == ("degraded", 1), "the command says so, and what is there"
    partition.protect(read_only=False)
    eventually(lambda: stored_count(agent.outbox) == 50, what="recovered alone", within_s=LONG_S)
    agent.stop()
    assert ups(agent.outbox) == list(range(50))


def test_a_small_quota_keeps_its_reserve_for_badges(partition: Partition) -> None:
    prepare_folder(partition.mount_point / "reserve")
    agent = Agent(partition.mount_point / "reserve", quota_mb=1).start()
    put = 0
    while agent.outbox.status().refused_count == 0:
        for _ in range(100):
            agent.outbox.put(desk(put), None)
            agent.outbox.put(alive(put), None)
            put += 2
        eventually(partial(has_taken, agent, put), what="all taken")
    before = stored_count(agent.outbox)
    agent.store(*[access(each) for each in range(20)], person=PERSON)
    assert stored_count(agent.outbox) == before + 20
    refused = agent.outbox.status().refused_count
    agent.put(desk(0))
    eventually(lambda: agent.outbox.status().refused_count == refused + 1, what="a desk is still refused")
    agent.stop()


def test_a_partition_of_small_blocks_is_refused_at_installation(tmp_path: Path, partition: Partition) -> None:
    (tmp_path / "small").mkdir()
    small = Partition(tmp_path / "small", block_bytes=1024)
    small.mount()
    try:
        with pytest.raises(StorageError, match=r"blocks of 1024 bytes.*mkfs\.ext4 -b 4096"):
            prepare_folder(small.mount_point / "outbox")
    finally:
        small.unmount()
    prepare_folder(partition.mount_point / "outbox")
