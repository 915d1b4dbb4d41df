"""The loop: take one observation, decide, perform the effects. Starts and stops every thread.

Device threads, the link and the outbox report or are told through queues; only this thread decides, and it never waits
for the disk or the network.
"""

import logging
import queue
import secrets
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from random import Random

from contract.events import Event
from contract.messages import Now, Report
from edge.clock import SystemClock, judge_clock
from edge.config import EdgeSettings, SiteKeys
from edge.core.effects import (
    AwaitBadge,
    Effect,
    KeepUidBadge,
    LockStrike,
    Publish,
    ReleaseStrike,
    ShowIndicator,
    StopAwaiting,
)
from edge.core.observations import ClockJudged, EnrolmentAsked, Observation, Stop, StreamBegan, Tick
from edge.core.site import Site, begin, decide, next_deadline
from edge.core.trusted_time import judge
from edge.core.views import devices_of as device_statuses
from edge.core.views import now_of, radars_of, rights_of
from edge.devices.enrolment import Order
from edge.devices.rights_list import RightsReader
from edge.link import Commands, Link, Orders
from edge.outbox import Outbox, prepare_folder
from edge.wiring import devices_of, plan_of
from host.settings import SettingsError
from host.systemd import notify, watchdog_interval_s

log = logging.getLogger(__name__)

MAX_WAITING = 256
"""Observations waiting for the main thread: beyond it device threads wait, and a serial port sheds its frames."""

LOOK_S = 1.0
"""How often the main thread looks at the clock and feeds the watchdog when nothing happens."""

EMIT_LOOK_S = 0.25
"""How soon a device thread that waits for the inbox notices that the agent stops."""

STOP_WITHIN_S = 5.0
"""For each of devices, link and outbox: together below systemd's TimeoutStopSec=."""

HAND_OVER_WITHIN_S = 2.0
"""A hub that is there answers within some 200 ms; a hub that is not gets everything when it is back."""

HAND_OVER_LOOK_S = 0.05

STUCK_AFTER_S = 20.0
"""An outbox whose events wait so long without an error of the storage hangs; a card pauses for some seconds."""

_SHOWN = {"door_state_changed", "desk_state_changed", "room_state_changed", "clock_set"}
_REPORTED = {"device_lost", "device_recovered", "clock_set", "rights_applied", "rights_refused"}

Inbox = queue.Queue[Observation]


def run(
    site: Site,
    inbox: Inbox,
    perform: Callable[[Site, tuple[Effect, ...]], None],
    clock: SystemClock,
    look: Callable[[], Observation | None],
) -> Site:
    """Decide on one observation at a time until `Stop` is seen; return the site as it then is.

    `look` is called between observations, at least once a second, and may have seen something itself.
    """
    while True:
        seen = look() or _next(site, inbox, clock)
        if seen is None:
            continue
        site, effects = decide(site, seen)
        perform(site, effects)
        if isinstance(seen, Stop):
            return site


def _next(site: Site, inbox: Inbox, clock: SystemClock) -> Observation | None:
    """Return the next observation, a `Tick` when something is due, or None after a while of silence."""
    with suppress(queue.Empty):
        return inbox.get_nowait()
    wait_s = next_deadline(site) - clock.now().mono_s
    if wait_s <= 0:
        return Tick(clock.now())
    with suppress(queue.Empty):
        return inbox.get(timeout=min(wait_s, LOOK_S))
    return None


class Agent:
    """One running agent. `run` belongs to the main thread; `stop` may be called from any."""

    def __init__(self, settings: EdgeSettings, keys: SiteKeys, random: Random | None = None) -> None:
        self._settings = settings
        self._version = metadata.version("telecentre")
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
        self._clock = SystemClock(lambda: judge_clock(simulated=settings.simulated))
        self._started = self._clock.now()
        self._inbox: Inbox = queue.Queue(MAX_WAITING)
        self._stopping = threading.Event()
        self._crash: BaseException | None = None
        self._site, self._first_effects = begin(plan_of(settings), self._started, self._version)
        random = random or Random()  # noqa: S311  # spreads retries; nothing secret
        self._devices = devices_of(
            settings, keys, boot=self._boot, clock=self._clock.now, random=random, on_crash=self.crash
        )
        self._outbox = Outbox(
            settings.outbox,
            boot=self._boot,
            new_id=lambda: secrets.token_hex(16),
            wall_ms=lambda: self._clock.now().wall_ms,
            on_new_stream=lambda: self._emit(StreamBegan(self._clock.now())),
            on_crash=self.crash,
        )
        self._link = Link(
            settings.link,
            settings.site,
            self._outbox,
            now=self._now,
            report=self._report,
            random=random,
            on_crash=self.crash,
        )
        if self._devices.rights is not None:
            commands = self._commands(self._devices.rights)
            self._link.hand_orders_to(Orders(rights=self._devices.rights.offer, command=commands.take))
        self._watchdog_s = watchdog_interval_s()
        self._looked_s = self._fed_s = self._started.mono_s

    def run(self) -> int:
        """Run until asked to stop; return the exit code: 0, or 1 after a bug of ours.

        Raises:
            SettingsError: a simulated site cannot make its outbox folder.
        """
        self._prepare()
        log.info("site=%s version=%s clock=%s started", self._settings.site, self._version, self._started.clock)
        try:
            self._start()
            self._perform(self._site, self._first_effects)
            notify("READY=1")
            run(self._site, self._inbox, self._perform, self._clock, self._look)
        except _CrashedError:
            log.critical("site=%s stops because of a bug", self._settings.site, exc_info=self._crash)
        finally:
            self._end()
        return 1 if self._crash is not None else 0

    def stop(self) -> None:
        """Ask the agent to stop."""
        self._emit(Stop(self._clock.now()))

    def _prepare(self) -> None:
        """Make the outbox folder where all is simulated; a real one is made once, when the site is installed."""
        folder = self._settings.outbox.folder
        if self._settings.simulated:
            try:
                prepare_folder(folder)
            except OSError as error:
                why = error.strerror or error
                raise SettingsError(f"{folder}: the outbox folder cannot be made ({why})") from error

    def _start(self) -> None:
        for strike in self._devices.strikes.values():
            strike.start()
        self._outbox.start()
        for thread in self._devices.threads:
            thread.start(self._emit)
        self._link.start()

    def _end(self) -> None:
        """Lock every strike first, stop what reports, store what was given, then hand it over; the link goes last."""
        notify("STOPPING=1")
        self._stopping.set()
        for strike in self._devices.strikes.values():
            strike.stop(STOP_WITHIN_S)
            strike.close()
        for thread in self._devices.threads:
            thread.stopping.set()
            thread.wake()
        deadline_s = self._clock.now().mono_s + STOP_WITHIN_S
        for thread in self._devices.threads:
            thread.stop(max(0.1, deadline_s - self._clock.now().mono_s))
        self._outbox.stop(STOP_WITHIN_S)
        self._hand_over()
        self._link.stop(STOP_WITHIN_S)
        log.info("site=%s stopped", self._settings.site)

    def _hand_over(self) -> None:
        """Let the hub take what was stored last, so that a planned stop leaves no backlog; without link, at once."""
        deadline_s, patience = self._clock.now().mono_s + HAND_OVER_WITHIN_S, threading.Event()
        while self._link.online and self._outbox.status().depth and self._clock.now().mono_s < deadline_s:
            patience.wait(HAND_OVER_LOOK_S)

    def _emit(self, seen: Observation) -> None:
        """Put an observation in the inbox, waiting for room; given up only when the agent stops."""
        while not self._stopping.is_set():
            with suppress(queue.Full):
                self._inbox.put(seen, timeout=EMIT_LOOK_S)
                return

    def crash(self, error: BaseException) -> None:
        """End with exit code 1, because of a bug of ours in some thread."""
        if self._crash is None:
            self._crash = error
        with suppress(queue.Full):
            # A full inbox is no loss: the main thread looks at the crash between two observations.
            self._inbox.put_nowait(Tick(self._clock.now()))

    def _perform(self, site: Site, effects: tuple[Effect, ...]) -> None:
        if site.rights is not self._site.rights:
            for reader in self._devices.readers.values():
                reader.know(site.rights.keys())
        self._site = site
        for effect in effects:
            match effect:
                case ReleaseStrike():
                    self._devices.strikes[effect.door].release(effect.for_s)
                case LockStrike():
                    self._devices.strikes[effect.door].lock()
                case ShowIndicator():
                    self._devices.indicators[effect.reader].show(effect.pattern)
                case Publish():
                    self._publish(effect.event, effect.person)

                case AwaitBadge() | StopAwaiting() | KeepUidBadge():
                    self._enrol(effect)

    def _enrol(self, effect: AwaitBadge | StopAwaiting | KeepUidBadge) -> None:
        match effect:
            case AwaitBadge():
                order = Order(effect.command, effect.badge, effect.key, effect.resume)
                self._devices.readers[effect.reader].desk.give(order)
            case StopAwaiting():
                self._devices.readers[effect.reader].desk.take_back(effect.command)
            case KeepUidBadge():
                if self._devices.rights is not None:
                    self._devices.rights.keep_uid_badge(effect.credential, effect.uid_hash)

    def _commands(self, rights: RightsReader) -> Commands:
        """Return what reads commands, in the link's thread; the site as main last left it says what time is trusted."""
        return Commands(
            self._settings.site,
            (rights.keys.verify_key, rights.keys.private_key),
            time=lambda: judge(self._site.trusted, self._clock.now(), self._site.rights.expires_at_ms),
            started_ms=lambda: self._clock.now().moved_to(self._started.mono_s).wall_ms,
            hand_on=lambda command, order, timely: self._emit(
                EnrolmentAsked(self._clock.now(), command, order, timely)
            ),
        )

    def _publish(self, event: Event, person: str | None) -> None:
        _log_event(event)
        self._outbox.put(event, person)
        if event.kind in _SHOWN:
            self._link.now_changed()
        if event.kind in _REPORTED:
            self._link.report_changed()

    def _look(self) -> ClockJudged | None:
        """Notice a crash, judge the clock, feed the watchdog: called only by a main loop that moves.

        Raises:
            _CrashedError: a thread has reported a bug of ours.
        """
        if self._crash is not None:
            raise _CrashedError
        now_s = self._clock.now().mono_s
        if now_s - self._looked_s < LOOK_S:
            return None
        self._looked_s = now_s
        self._feed(now_s)
        step_ms = self._clock.judge()
        if step_ms is None:
            return None
        at = self._clock.now()
        log.info("clock=%s step_ms=%d", at.clock, step_ms)
        return ClockJudged(at, step_ms)

    def _feed(self, now_s: float) -> None:
        """Tell systemd that all is moving: this loop, since it is here, and the outbox's writer."""
        if self._watchdog_s is None or now_s - self._fed_s < self._watchdog_s:
            return
        if self._outbox.stuck_s() < STUCK_AFTER_S:
            self._fed_s = now_s
            notify("WATCHDOG=1")

    def _now(self) -> Now:
        return now_of(self._site, self._clock.now())

    def _report(self) -> Report:
        at = self._clock.now()
        return Report(
            version=self._version,
            boot=self._boot,
            started_at=at.moved_to(self._started.mono_s).wall_ms,
            at=at.wall_ms,
            clock=at.clock,
            outbox=self._outbox.status(),
            rights=rights_of(self._site, at),
            devices=device_statuses(self._site, at),
            radars=radars_of(self._site),
        )


class _CrashedError(Exception):
    """A thread has reported a bug of ours."""


def stop_on_signals(agent: Agent) -> None:
    """Let SIGTERM and SIGINT stop the agent; to be called before any thread is started.

    A thread waits for them: a signal handler could not wait for room in the inbox.
    """
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        log.info("signal=%s stopping", signal.Signals(signal.sigwait(signals)).name)
        agent.stop()

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _log_event(event: Event) -> None:
    """Log a change of state once; an unchanged state that is said again is not news."""
    if event.kind != "edge_alive":
        value = event.value.model_dump()
        log.info("%s=%s %s", event.kind, event.subject, " ".join(f"{key}={word}" for key, word in value.items()))
