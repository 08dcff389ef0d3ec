"""The crash matrix of the real bot: FreqtradeBot, ccxt and the paper exchange over HTTP, cut at every call.

A scenario is run once undisturbed, which counts the engine's journal writes and venue calls and freqtrade's
own perp orders. Then it is run again for each of these points, each cut and each trouble that follows, on an
account of its own; a killed bot starts again on its files. The exchange's audit log is the truth at the end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import ccxt
from freqtrade.exceptions import FreqtradeException

from hedge_leg.core.states import State
from tests.hedge_leg.tap import Cut, FreqtradeToldNo, Killed, Tap, Tapped
from tests.host.live_harness import STRATEGIES, Rig
from tests.host.live_world import PERP_POST, SPOT_POST, rule, settle, world
from tests.soak.books import differences

SCRIPTED: dict[str, Any] = {"strategy": "DirectedCarry", "strategy_path": str(STRATEGIES)}
_LIMIT = {"entry": "limit", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}
_REFUSED = {"kind": "refuse", "preset": "spot-2010"}
_SPOT_DOWN = {"kind": "error_before", "preset": "spot-503"}


class Scenario(StrEnum):
    """What the bot does."""

    OPEN = "open"
    PARTIAL_OPEN = "partial open"
    SHRINK = "resize down"
    CLOSE = "close"


class Then(StrEnum):
    """What follows the cut."""

    NOTHING = "nothing"
    REFUSED = "spot orders refused"
    DOWN = "spot venue down"


@dataclass(frozen=True)
class Case:
    """One cell of the matrix: a cut at the call of that number, and what follows."""

    scenario: Scenario
    point: int = -1
    cut: Cut = Cut.NONE
    then: Then = Then.NOTHING


@dataclass
class LiveRun:
    """A case being run: the bot's calls are tapped, and it may be killed at one of them."""

    case: Case
    made: Rig
    tap: Tap = field(init=False)
    states: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Count from nothing."""
        cuts = {} if self.case.point < 0 else {self.case.point: self.case.cut}
        self.tap = Tap(cuts, self._trouble, look=self._look)

    def _trouble(self) -> None:
        if self.case.then is Then.REFUSED:
            self.made.spot_exchange.plan(rule(SPOT_POST, _REFUSED, times=2))
        elif self.case.then is Then.DOWN:
            self.made.spot_exchange.plan(rule({"path": "/api/v3/*"}, _SPOT_DOWN, times=12))

    def _look(self) -> None:
        if self.made.bot is None or not self.made.engine.carries:
            return
        carry = self.made.carry()
        order = type(carry.order).__name__ if carry.order is not None else "none"
        legs = "flat" if not carry.short_qty else "short", "flat" if carry.spot_qty <= 0 else "held"
        self.states.add((str(carry.state), str(carry.mode), order, *legs))

    def start(self) -> None:
        """Start the bot, as its supervisor does until it stays; tap what the engine and freqtrade call."""
        armed, self.tap.armed = self.tap.armed, False
        for _ in range(6):
            try:
                self.made.start()
                break
            except FreqtradeException as error:
                self.made.messages.append(f"did not start: {error}")
                self.made.kill()
                self.made.advance(30)
        engine = self.made.engine
        engine.journal = Tapped(self.tap, "journal", engine.journal)
        engine.spot = Tapped(self.tap, "spot", engine.spot)
        engine.perp = Tapped(self.tap, "perp", engine.perp)
        api = self.made.bot.exchange._api  # type: ignore[union-attr]
        create = api.create_order

        def ordered(*args: Any, **options: Any) -> Any:
            try:
                return self.tap.call("freqtrade.order", lambda: create(*args, **options))
            except FreqtradeToldNo as error:
                raise ccxt.RequestTimeout("no answer in 10 s") from error

        api.create_order = ordered
        self.tap.armed = armed

    def process(self, step: Callable[[], object]) -> None:
        """Let the bot do a step; if it is killed there, start it again ten seconds later."""
        try:
            step()
        except Killed:
            self.tap.armed = False
            self.made.kill()
            self.made.advance(10)
            self.start()
            self.tap.armed = True
        except Exception as error:  # the worker catches it
            self.made.messages.append(f"worker caught {type(error).__name__}")

    def _turn(self) -> None:
        assert self.made.bot is not None
        self.made.bot.process()

    def loop(self, times: int = 1) -> None:
        """Run freqtrade's loop."""
        for _ in range(times):
            self.process(self._turn)
            self.made.advance(5)


def _open(run: LiveRun) -> None:
    run.start()
    run.tap.armed = True
    run.loop(3)


def _open_partly(run: LiveRun) -> None:
    run.start()
    run.made.exchange.plan(rule(PERP_POST, {"kind": "partial_fill", "share": 0.3}))
    run.tap.armed = True
    run.loop(2)
    for _ in range(3):  # beyond unfilledtimeout: freqtrade cancels the rest
        run.made.advance(300)
        run.loop()


def _held(run: LiveRun) -> None:
    run.start()
    run.made.loop(2)
    assert run.made.carry().state is State.ACTIVE
    run.made.config["script"] |= {"enter": False}
    run.made.bot.config["script"] |= {"enter": False}  # type: ignore[union-attr]


def _shrink(run: LiveRun) -> None:
    _held(run)
    run.made.bot.config["script"]["resize"] = [-0.4]  # type: ignore[union-attr]
    run.tap.armed = True
    run.loop(3)


def _close(run: LiveRun) -> None:
    from tests.host.test_live_faults import exit_now

    _held(run)
    run.tap.armed = True
    run.process(lambda: exit_now(run.made))
    run.loop(3)


_ACTS: dict[Scenario, Callable[[LiveRun], None]] = {
    Scenario.OPEN: _open,
    Scenario.PARTIAL_OPEN: _open_partly,
    Scenario.SHRINK: _shrink,
    Scenario.CLOSE: _close,
}


@dataclass(frozen=True)
class Done:
    """How a case ended: what is wrong, the state, the calls that were made, the states that were met."""

    wrong: list[str]
    end: str
    calls: list[str]
    states: set[tuple[str, ...]]


def run(case: Case, folder: Path) -> Done:
    """Run a case on an exchange of its own; `folder` takes the bot's files."""
    changes: dict[str, Any] = SCRIPTED | {"script": {}}
    if case.scenario is Scenario.PARTIAL_OPEN:
        changes["order_types"] = _LIMIT
    with world(folder, **changes) as made:
        return run_in(made, case)


def run_in(made: Rig, case: Case) -> Done:
    """Run a case with a bot of the scripted strategy that is not started yet."""
    running = LiveRun(case, made)
    _ACTS[case.scenario](running)
    running.tap.armed = False
    settle(made)
    wrong = differences(made) + _more_than_intended(made)
    halted = [one for one in made.engine.alive() if one.state is State.HALTED]
    if halted and not any("HALTED" in text for text in made.messages):
        wrong.append("halted without an alarm")
    end = "HALTED" if halted else "ACTIVE" if made.engine.alive() else "IDLE"
    return Done(wrong, end, running.tap.calls, running.states)


def _more_than_intended(made: Rig) -> list[str]:
    """Compare the exchange's audit log with the journal: never more of our orders than intents."""
    intents = {client_id for carry in made.engine.carries.values() for client_id in carry.sent}
    taken = made.spot_exchange.audit("taken")
    ours = [row["client_id"] for row in taken if row["client_id"].startswith("hl-")]
    if len(ours) == len(set(ours)) and set(ours) <= intents:
        return []
    return [f"orders on the exchange {sorted(ours)}, intents {sorted(intents)}"]


def cells(scenario: Scenario, folder: Path) -> Iterator[Case]:
    """Yield every case of a scenario: all its calls x cuts x what follows."""
    points = len(run(Case(scenario), folder).calls)
    for point, cut, then in product(range(points), (Cut.BEFORE, Cut.AFTER, Cut.LOST), Then):
        yield Case(scenario, point, cut, then)
