from contract.events import Clock
from edge.clock import SystemClock, judge_clock, kernel_says_synced


class Machine:
    """Two clocks and a judgement, moved by hand."""

    def __init__(self, state: Clock = "unsynced") -> None:
        self.mono_s = 100.0
        self.wall_ms = 1_000_000
        self.state = state

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.state, lambda: self.mono_s, lambda: self.wall_ms)

    def passes(self, seconds: float, step_ms: int = 0) -> None:
        self.mono_s += seconds
        self.wall_ms += round(seconds * 1000) + step_ms


def test_a_moment_is_the_two_clocks_and_the_judgement() -> None:
    moment = Machine().clock().now()
    assert (moment.mono_s, moment.wall_ms, moment.clock) == (100.0, 1_000_000, "unsynced")


def test_nothing_is_told_of_a_clock_that_only_goes() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(3600)
    assert clock.judge() is None


def test_a_clock_that_becomes_right_is_told_with_its_step() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(10, step_ms=5_000_000)
    machine.state = "synced"
    assert clock.judge() == 5_000_000
    assert clock.now().clock == "synced"


def test_a_clock_that_was_just_set_by_hand_is_not_vouched_for() -> None:
    machine = Machine("synced")
    clock = machine.clock()
    machine.passes(0.5, step_ms=86_400_000)
    assert clock.now().clock == "holdover"
    machine.passes(0.5)
    clock.judge()
    assert clock.now().clock == "synced", "it was NTP that set it"


def test_a_jump_of_a_right_clock_is_told_and_slewing_is_not() -> None:
    machine = Machine("synced")
    clock = machine.clock()
    for _ in range(100):
        machine.passes(1, step_ms=20)
        assert clock.judge() is None
    machine.passes(1, step_ms=-60_000)
    assert clock.judge() == -60_000


def test_a_clock_that_was_right_in_this_run_is_held_over() -> None:
    machine = Machine("synced")
    clock = machine.clock()
    machine.state = "unsynced"
    assert clock.judge() == 0
    assert clock.now().clock == "holdover"


def test_a_simulated_site_believes_its_clock() -> None:
    assert judge_clock(simulated=True) == "synced"


def test_the_kernel_can_be_asked() -> None:
    assert kernel_says_synced() in (True, False, None)
    assert judge_clock(simulated=False) in ("synced", "holdover", "unsynced")
