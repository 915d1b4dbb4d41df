"""The worked examples of visits in docs/method.md come out as written, from taps at a door to the four counts."""

import re
from datetime import date
from pathlib import Path

import pytest

from tests.support.comings import Bench, ms, network
from tests.support.telecentres import store_in
from tests.test_docs import METHOD


def worked_examples() -> list[tuple[list[tuple[str, str]], tuple[int, ...]]]:
    """Return the examples of docs/method.md: who was let in when, and the four counts of 5 October."""
    page = METHOD.read_text(encoding="utf-8")
    section = page.partition("\n## Visits\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if re.match(r"\| \d ", line)]
    badges = {"A": "b0000001", "B": "b0000002"}
    comings = [[coming.split() for coming in row[1].split(",")] for row in rows]
    return [
        ([(badges[who], f"2026-10-{int(day):02} {time}") for who, day, time in told], tuple(map(int, row[2:6])))
        for told, row in zip(comings, rows, strict=True)
    ]


def week_of_example_6() -> tuple[int, ...]:
    """Return what the sentence below the examples says of the week of the sixth."""
    page = " ".join(METHOD.read_text(encoding="utf-8").split())
    text = page.partition("In the week of example 6, A makes ")[2].partition(".")[0]
    counts = re.fullmatch(r"(\w+) visits, (\w+) half-days, and is (\w+) unique and (\w+) new visitors?", text)
    assert counts is not None
    return tuple({"one": 1, "two": 2}[word] for word in counts.groups())


@pytest.mark.parametrize(("comings", "counts"), worked_examples())
def test_the_worked_examples_of_the_page_of_method_hold(
    tmp_path: Path, comings: list[tuple[str, str]], counts: tuple[int, ...]
) -> None:
    store = store_in(tmp_path, lambda: ms("2026-10-31 12:00"))
    store.import_network(network("murat"), today=date(2026, 1, 1))
    bench = Bench(store, [ms("2026-10-31 12:00")])
    bench.member("b0000001")
    bench.member("b0000002")
    bench.come("murat", ("b0000002", "2026-09-10 09:00"), *comings)
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == counts
    if counts == (1, 1, 1, 1) and len({time[:10] for _, time in comings}) == 2:
        assert bench.counts("murat", "week", "2026-10-05") == week_of_example_6()
    bench.close()


def test_the_page_of_method_has_examples() -> None:
    assert len(worked_examples()) == 6
