"""Thirty simulated days of the real FreqtradeBot over HTTP: faults and a restart every day, three pairs.

    python -m tests.soak.thirty_days --days 30 --seed 1

Each day ten faults of the paper exchange's plan are put at random moments, and the bot is killed once:
between two loops, or in the middle of one, around a journal write or an order. Each evening the faults stop
and the books are compared; what is not hedged, flat or halted with an alarm ends the run with exit status 1.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hedge_leg.core import events as ev
from hedge_leg.core.states import State
from hedge_leg.errors import HedgeError
from paper_exchange.sample import write_sample_market
from tests.host.live_harness import Rig, rig, served
from tests.soak.books import differences

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
START = datetime(2024, 1, 1, tzinfo=UTC)
STRATEGIES = Path(__file__).parent / "strategies"
FAULTS_A_DAY = 10
SPOT_ORDER, PERP_ORDER = "/api/v3/order", "/fapi/v1/order"


class Killed(BaseException):
    """The process ends here: no handler may survive it."""


def fault_rules(chance: random.Random) -> list[dict[str, Any]]:
    """Return one random fault: rules for the plan, each for the next matching request."""
    path = chance.choice((SPOT_ORDER, SPOT_ORDER, PERP_ORDER))
    market = "spot" if path == SPOT_ORDER else "usdm"
    order = {"method": "POST", "path": path}
    unknown = ["spot-1007", "spot-1006", "spot-502"] if market == "spot" else ["usdm-503-unknown", "usdm-504"]
    refused = ["spot-2010", "spot-1013"] if market == "spot" else ["usdm-2019", "usdm-503-unavailable"]
    share = round(chance.random(), 2)
    return chance.choice(
        [
            [{"match": order, "fault": "lose_request"}],
            [{"match": order, "fault": "lose_answer"}],
            [{"match": order, "fault": {"kind": "error_after", "preset": chance.choice(unknown)}}],
            [{"match": order, "fault": {"kind": "error_before", "preset": chance.choice(unknown)}}],
            [{"match": order, "fault": {"kind": "refuse", "preset": chance.choice(refused)}}],
            [{"match": order, "fault": {"kind": "unparsable"}}, *_hidden(chance)],
            [{"match": order, "fault": "drop_mid_answer"}],
            [
                {
                    "match": {"method": "POST", "path": SPOT_ORDER},
                    "fault": {"kind": "partial_fill", "share": share},
                }
            ],
            [{"match": order, "fault": "lose_answer"}, *_hidden(chance)],
            [{"match": {"method": "GET", "path": "/api/v3/account", "times": 3}, "fault": "stale"}],
            [{"match": {"method": "GET", "path": "/fapi/*/positionRisk", "times": 2}, "fault": "stale"}],
            [{"match": {"method": "GET", "path": "/api/v3/*", "times": 6}, "fault": "lose_answer"}],
            [
                {
                    "match": {"path": "/api/v3/depth", "times": 4},
                    "fault": {"kind": "error_before", "preset": "spot-503"},
                }
            ],
        ]
    )


def _hidden(chance: random.Random) -> list[dict[str, Any]]:
    """Return a rule that denies knowing the order for a few looks."""
    looks = {"method": "GET", "path": SPOT_ORDER, "times": chance.randint(1, 4)}
    return [{"match": looks, "fault": "not_found"}]


@dataclass(slots=True)
class Soak:
    """A run: its chance, the rig, and what has been exercised."""

    rig: Rig
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    def day(self) -> list[str]:
        """Live one day of loops with faults and a kill, then an evening without; return what is wrong."""
        hits = sorted(self.chance.sample(range(66), FAULTS_A_DAY))
        kill_at = self.chance.randrange(66)
        restarts = self.counts["restarts"]
        for loop in range(66):
            if loop in hits:
                self.rig.exchange.post("faults", {"rules": fault_rules(self.chance), "replace": False})
                self.counts["faults"] += 1
            if loop == kill_at:
                self._kill()
            self._loop((5.0, 35.0, 1160.0)[loop % 3])
        if self.counts["restarts"] == restarts:  # what it was to die of did not come
            self._restart()
        self.rig.exchange.client.delete(f"{self.rig.exchange.url}/_control/faults")
        for seconds in (*(400.0,) * 17, 330.0, 70.0):  # funding is booked a minute after it is paid
            self._loop(seconds)
        self._loop(0.0)
        return differences(self.rig)

    def _loop(self, seconds: float) -> None:
        """Run one loop; freqtrade's worker waits after a TemporaryError, and so do we."""
        assert self.rig.bot is not None
        try:
            self.rig.bot.process()
            self.counts["loops"] += 1
        except Killed:
            self._restart()
        except Exception as error:  # what the worker catches, too
            self.counts[f"worker caught {type(error).__name__}"] += 1
        self.rig.advance(seconds)

    def _kill(self) -> None:
        """End the process now, or in the middle of something that comes soon."""
        engine = self.rig.engine
        where = self.chance.choice(["loop", "append", "append", "place", "place", "find"])
        self.counts[f"killed around {where}"] += 1
        if where == "loop":
            self._restart()
        elif where == "append":
            engine.journal.append = self._deadly(engine.journal.append)  # type: ignore[method-assign]
        elif where == "place":
            engine.spot.place = self._deadly(engine.spot.place)  # type: ignore[method-assign]
        else:
            engine.spot.find = self._deadly(engine.spot.find)  # type: ignore[method-assign]

    def _deadly(self, call: Callable[..., Any]) -> Callable[..., Any]:
        before = self.chance.random() < 0.5

        def die(*args: Any, **kwargs: Any) -> Any:
            if not before:
                call(*args, **kwargs)
            raise Killed

        return die

    def _restart(self) -> None:
        self.rig.kill()
        self.counts["restarts"] += 1
        last: Exception | None = None
        for _ in range(20):
            try:
                self.rig.start()
                return
            except Exception as error:  # a fault of the plan met the start: a supervisor starts it again
                self.counts[f"start failed {type(error).__name__}"] += 1
                last = error
                self.rig.kill()
                self.rig.advance(5.0)
        raise RuntimeError(f"the bot does not start any more: {last}")

    def release_halted(self) -> None:
        """Be the operator: release what has halted, once it has been counted."""
        for carry in self.rig.engine.alive():
            if carry.state is State.HALTED:
                self.counts["halts"] += 1
                self.rig.engine.record(carry, ev.Released(self.rig.engine.clock.now_ms(), "operator"))


def run(
    days: int, seed: int, folder: Path, say: Callable[[str], None] = print
) -> tuple[list[str], Counter[str]]:
    """Live `days` days; return what was wrong, by day, and what was exercised."""
    data = folder / "market"
    data.mkdir()
    end = datetime.fromtimestamp(START.timestamp() + (max(days, 30) + 2) * 86_400, UTC)
    write_sample_market(data, start=datetime(2023, 8, 1, tzinfo=UTC), end=end, coins=("BTC", "ETH", "SOL"))
    exchange_block = {"pair_whitelist": list(PAIRS)}
    wrong: list[str] = []
    with served(data, f"{START:%Y-%m-%d}T00:00:30") as exchange, rig(exchange, folder) as made:
        made.config["exchange"] |= exchange_block
        made.config |= {"max_open_trades": 3, "stake_amount": 9_000.0, "strategy": "RestlessCarry"}
        made.config["strategy_path"] = str(STRATEGIES)
        soak = Soak(made, random.Random(seed))
        made.start()
        for day in range(1, days + 1):
            began = time.monotonic()
            found = [f"day {day}: {text}" for text in soak.day()]
            wrong += found
            for text in found:
                say(text)
            soak.release_halted()
            carries = len(made.engine.carries)
            say(f"day {day:3}: {carries} carries, {time.monotonic() - began:.1f} s, wrong: {len(wrong)}")
        soak.counts["carries"] = len(made.engine.carries)
    return wrong, soak.counts


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            wrong, counts = run(options.days, options.seed, Path(folder))
        except HedgeError as error:
            wrong, counts = [str(error)], Counter()
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    lasted_s = time.monotonic() - began
    print(f"{options.days} days, seed {options.seed}, {lasted_s:.0f} s: {told}; wrong {len(wrong)}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
