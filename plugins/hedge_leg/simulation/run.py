"""One seeded run: loops, actions, faults and crashes; then everything answers truthfully and must settle."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from hedge_leg.core.states import State
from hedge_leg.errors import JournalError
from hedge_leg.simulation import actions, invariants
from hedge_leg.simulation.choices import Choices, Crash, Rates
from hedge_leg.simulation.monitor import Broken, Monitor
from hedge_leg.simulation.tally import Tally
from hedge_leg.simulation.world import Setting, World, build

STEPS = (20, 60)
_MOODS = (Rates(0.0, 0.0), Rates(0.02, 0.002), Rates(0.06, 0.004), Rates(0.15, 0.0), Rates(0.1, 0.02))
_ACT_RATE = 0.35
_ENTER_RATE = 0.5
_SETTLING_LOOPS = 40
_QUIET_LOOPS = 4
_LATE_FACTS_MS = (61_000, 61_000, 21 * 60_000)  # exact fees, the last settlement, orders nobody told of
_FUNDING_RATES = 20  # hundred-thousandths


@dataclass(slots=True)
class Outcome:
    """What became of a run. `broken` empty: every invariant held. `story`: what happened, in order."""

    seed: int
    steps: int
    broken: str = ""
    number: int = -1
    story: list[tuple[str, str]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def simulate_one(
    seed: int,
    steps: int | None = None,
    keep: Container[str] | None = None,
    prepare: Callable[[World], None] | None = None,
) -> Outcome:
    """Run one seed. `keep`: which faults and actions may happen (None: all that are drawn).

    `prepare` changes the world before it starts: how a defect is injected.
    """
    chance = Random(seed)
    drawn = chance.randrange(*STEPS)  # always drawn: a replay names the steps and must see the same world
    steps = steps or drawn
    choices = Choices(seed, chance.choice(_MOODS), keep)
    world = build(Setting.drawn(chance), choices)
    outcome = Outcome(seed, steps)
    monitor = Monitor(world, outcome.tally)
    monitor.attach()
    if prepare is not None:
        prepare(world)
    runner = Runner(world, monitor)
    try:
        runner.run(steps)
    except Broken as broken:
        outcome.broken, outcome.number = str(broken), broken.number
    except Exception as error:
        outcome.broken = f"{type(error).__name__}: {error}"
    outcome.story = choices.fired
    outcome.tally.fired(choices.fired)
    return outcome


@dataclass(slots=True)
class Runner:
    """Drives a world."""

    world: World
    monitor: Monitor

    def run(self, steps: int) -> None:
        """Do the steps, then let everything settle, then check it all."""
        world = self.world
        self._alive(lambda: world.host.restart(*world.process()))
        self._fund()
        for _step in range(steps):
            self._alive(self._step)
            invariants.after_step(self.monitor)
        self._settle()
        invariants.at_end(self.monitor)

    def _alive(self, step: Callable[[], None]) -> None:
        """Do a step; a crash ends the process, and another one is started."""
        try:
            step()
        except Crash:
            self._reborn()

    def _reborn(self) -> None:
        down = self.world.choices.stream("down")
        while True:
            try:
                self.world.restart(down.choice((1_000, 5_000, 20_000, 90_000)))
                return
            except (Crash, JournalError):
                continue

    def _step(self) -> None:
        world = self.world
        world.clock.advance(world.choices.stream("wait").choice((1_000, 5_000, 5_000, 5_000, 15_000)))
        for market in world.perp.markets.values():
            busy = world.host.base.opened(market.pair) is not None
            busy = busy or world.host.engine.of_pair(market.pair) is not None
            options = actions.WITH_TRADE if busy else actions.WITHOUT_TRADE
            action = world.choices.fault("act", options, _ACT_RATE if busy else _ENTER_RATE)
            if action:
                actions.act(world, market, action)
        world.host.loop()

    def _fund(self) -> None:
        """Schedule the next settlement of every pair, and from then on the one after."""
        world = self.world
        every_ms = world.perp.funding_every_ms
        at_ms = (world.clock.now_ms() // every_ms + 1) * every_ms
        chance = world.choices.stream("funding")

        def settle() -> None:
            for pair in world.perp.markets if world.choices.enabled else ():
                rate = chance.randrange(-_FUNDING_RATES, 2 * _FUNDING_RATES)
                world.perp.settle(pair, Decimal(rate) / 100_000, chance.randrange(32))
            self._fund()

        world.clock.at(at_ms, settle)

    def _settle(self) -> None:
        """Stop every fault, let the market open, and loop until nothing moves any more."""
        world = self.world
        world.choices.enabled = False
        world.spot.halted.clear()
        world.host.exits.clear()
        quiet = 0
        for _loop in range(_SETTLING_LOOPS):
            world.clock.advance(30_000)
            world.host.loop()
            settled = all(one.state in (State.ACTIVE, State.HALTED) for one in world.host.engine.alive())
            quiet = quiet + 1 if settled else 0
            if quiet > _QUIET_LOOPS:
                break
        for wait_ms in _LATE_FACTS_MS:
            world.clock.advance(wait_ms)
            world.host.loop()
