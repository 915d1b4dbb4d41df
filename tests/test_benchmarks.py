from tests.benchmarks.figures import HEAD, Figure, merged, row


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
