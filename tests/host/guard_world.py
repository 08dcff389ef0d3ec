"""Markets that move, and what must hold of both legs at every step, for tests of the risk guard."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import mkdtemp
from typing import Any

import pandas as pd

from hedge_leg.commands_guard import guard_log, told
from hedge_leg.commands_guard import tripped as tripped_rows
from hedge_leg.core.amounts import ZERO, exact
from paper_exchange.signing import REHEARSAL as KEYS
from paper_exchange.store import CandleStore
from tests.host.live_harness import PAIR, Rig
from tests.host.live_world import AT, loop_safely, market, rule, world

MINUTE, HOUR = 60.0, 3600.0
MOVE_AT = pd.Timestamp(AT).floor("h") + pd.Timedelta("1h")
_SPOT, _PERP, _MARK = "BTC*.feather", "BTC*[!g]-futures.feather", "*-mark.feather"


@cache
def moving(perp: float, spot: float, *, negative_funding: bool = False) -> tuple[Path, CandleStore]:
    """Return the market whose prices move by these factors within the hour from 14:00 on, and stay there."""
    folder = Path(mkdtemp(prefix="moving-market-"))
    copytree(market()[0], folder, dirs_exist_ok=True)
    for found, factor in (
        (folder.glob(_SPOT), spot),
        (folder.rglob(_PERP), perp),
        (folder.rglob(_MARK), perp),
    ):
        for path in found:
            _move(path, factor)
    if negative_funding:
        path = next(folder.rglob("BTC*-funding_rate.feather"))
        frame = pd.read_feather(path)
        frame.loc[frame["date"] >= MOVE_AT, "funding_rate"] = -0.0001
        frame.to_feather(path)
    return folder, CandleStore.load(folder)


def _move(path: Path, factor: float) -> None:
    """Let prices rise (fall) along one exponential within the hour, to `factor` times what they were."""
    frame = pd.read_feather(path)
    if "open" not in frame or factor == 1.0:
        return
    step = frame["date"].diff().min()
    gone = ((frame["date"] - MOVE_AT) / pd.Timedelta("1h")).clip(0, 1)
    until = ((frame["date"] + step - MOVE_AT) / pd.Timedelta("1h")).clip(0, 1)
    moves = (gone < 1) & (until > 0)
    for name, part in (("open", gone), ("high", gone), ("low", gone), ("close", until)):
        frame[name] *= factor**part
    frame.loc[moves, "high"] = frame.loc[moves, ["open", "close"]].max(axis=1)
    frame.loc[moves, "low"] = frame.loc[moves, ["open", "close"]].min(axis=1)
    frame.to_feather(path)


def guarded(folder: Path, guard: dict[str, Any], own: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Return a world whose bot has these limits; the pair is rolled late."""
    keys = {} if changes.get("dry") else {"key": KEYS.key, "secret": KEYS.secret}
    block = {"roll_distance": 0.02, "guard": guard, "execution": {"cool_down_sec": 600}} | keys | (own or {})
    return world(folder, hedge_leg=block, **changes)


def apart(made: Rig) -> list[str]:
    """Return every moment after which the legs were not equal, by the exchange's own log of fills."""
    legs, found = {"spot": ZERO, "perp": ZERO}, []
    rows = made.exchange.audit("filled")
    for number, row in enumerate(rows):
        qty = exact(row["qty"]) * (1 if row["side"] == "BUY" else -1)
        legs[row["venue"]] += qty - (exact(row["fee"]) if row["fee_asset"] == "BTC" else ZERO)
        last = number + 1 == len(rows) or rows[number + 1]["at_ms"] != row["at_ms"]
        gap = abs(legs["spot"] + legs["perp"])
        if last and gap > max(exact("0.001"), abs(legs["perp"]) * exact("0.0021")):
            found.append(f"{row['at_ms']}: spot {legs['spot']}, perp {legs['perp']}")
    return found


def tripped(made: Rig, name: str) -> list[str]:
    """Return the alarms of a breaker."""
    return [text for text in made.messages if text.startswith(f"guard: {name} tripped")]


def journaled(made: Rig, name: str) -> list[str]:
    """Return the kinds of a breaker's rows in the guard's table, in order."""
    assert made.leg.guard is not None
    rows = made.leg.guard.memory.log.since(0)
    return [row.kind.value for _, row in rows if row.breaker == name]


def shown(folder: Path) -> str:
    """Return what `hedge-leg status` says of breakers, beside the running bot."""
    log = guard_log([], folder, "", dry_run=False)
    return "\n".join(map(told, tripped_rows(log)))


def loops(times: int, seconds: float) -> Callable[[Rig], Any]:
    """Let time pass."""
    return lambda made: loop_safely(made, times, seconds)


def failing(*paths: str) -> Callable[[Rig], Any]:
    """Let reads of these paths fail for ten minutes: nothing is traded meanwhile."""

    def upset(made: Rig) -> None:
        before = len(made.exchange.audit("taken"))
        made.exchange.plan(
            *(
                rule({"method": "GET", "path": path}, {"kind": "error_before", "status": 503}, times=None)
                for path in paths
            )
        )
        loop_safely(made, 12, 61.0)
        assert len(made.exchange.audit("taken")) == before, "nothing is traded on missing data"
        made.exchange.client.delete(f"{made.exchange.url}/_control/faults")
        loop_safely(made, 3, 61.0)

    return upset


def resized(made: Rig) -> None:
    """Let the strategy make the pair smaller and larger again."""
    made.bot.strategy.config["script"]["resize"] = [-0.5, 0.9]  # type: ignore[union-attr]
    loop_safely(made, 6, 61.0)


def old_candles(made: Rig) -> None:
    """Let perp candles fail for four hours."""
    made.exchange.plan(
        rule(
            {"method": "GET", "path": "/fapi/v1/klines"}, {"kind": "error_before", "status": 503}, times=None
        )
    )
    loop_safely(made, 4, HOUR)
    assert tripped(made, f"stale_data@{PAIR}")
    assert len(made.exchange.audit("filled")) == 2, "nothing is traded on missing data"
    made.exchange.client.delete(f"{made.exchange.url}/_control/faults")
    loop_safely(made, 3, 61.0)
