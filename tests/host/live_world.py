"""What tests of a live bot share: one sample market, an exchange of their own, and what must hold after."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hedge_leg.core.states import State
from paper_exchange.account import Account
from paper_exchange.sample import write_sample_market
from paper_exchange.store import CandleStore
from tests.host.live_harness import Exchange, Rig, rig
from tests.paper_exchange.conftest import at_ms, serving
from tests.soak.books import differences

AT = datetime(2024, 2, 10, 13, 7, 30, tzinfo=UTC)  # not in the candle that opens at a settlement
SPOT_ORDER, PERP_ORDER = "/api/v3/order", "/fapi/v1/order"
SPOT_POST = {"method": "POST", "path": SPOT_ORDER}
PERP_POST = {"method": "POST", "path": PERP_ORDER}
SPOT_LOOK = {"method": "GET", "path": SPOT_ORDER}


@cache
def market(*coins: str) -> tuple[Path, CandleStore]:
    """Write and load 45 days of coins (BTC) once per process; BNB moves like SOL."""
    folder = Path(mkdtemp(prefix="live-market-"))
    first, last = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 15, tzinfo=UTC)
    models = tuple("SOL" if coin == "BNB" else coin for coin in coins) or ("BTC",)
    write_sample_market(folder, start=first, end=last, coins=models)
    if "BNB" in coins:
        for path in folder.rglob("SOL_*"):
            path.rename(path.with_name(path.name.replace("SOL_", "BNB_")))
    return folder, CandleStore.load(folder)


@contextmanager
def world(
    folder: Path,
    *,
    dry: bool = False,
    account: Account | None = None,
    candles: tuple[Path, CandleStore] | None = None,
    at: datetime = AT,
    **changes: Any,
) -> Iterator[Rig]:
    """Serve a market to an account of the test's own, and rig a bot up that is not started."""
    datadir, store = candles or market()
    with serving(datadir, store, account or Account.funded(at_ms(at))) as running:
        exchange = Exchange(running.url)
        exchange.post("clock", {"now_ms": at_ms(at)})
        with rig(exchange, folder, dry=dry, **({"stake_amount": 20_000.0} | changes)) as made:
            yield made


def rule(match: dict[str, Any], fault: Any, **more: Any) -> dict[str, Any]:
    """Return a rule of the fault plan for the next matching request."""
    return {"match": match | more, "fault": fault}


def opened(made: Rig) -> Rig:
    """Start the bot and let it open a hedged carry."""
    made.start()
    made.loop()
    assert made.carry().state is State.ACTIVE
    return made


def loop_safely(made: Rig, times: int = 1, seconds: float = 5.0) -> None:
    """Run loops as freqtrade's worker does: it catches what a loop raises, and goes on."""
    assert made.bot is not None
    for _ in range(times):
        try:
            made.bot.process()
        except Exception as error:
            made.messages.append(f"worker caught {type(error).__name__}")
        made.advance(seconds)


def killed_and_settled(made: Rig) -> None:
    """Kill the bot, start it again seven seconds later, and let it bring everything in order."""
    made.kill()
    made.advance(7)
    made.start()
    loop_safely(made, 3)
    assert_settled(made)


def settle(made: Rig, loops: int = 12) -> None:
    """Let the faults end, and the bot bring everything in order."""
    for exchange in {made.exchange.url: made.exchange, made.spot_exchange.url: made.spot_exchange}.values():
        exchange.client.delete(f"{exchange.url}/_control/faults")
    loop_safely(made, loops, 10.0)
    loop_safely(made, 2, 61.0)


def assert_settled(made: Rig) -> None:
    """Hedged, flat, or halted with an alarm; orders <= intents; no order twice; all books equal."""
    settle(made)
    assert differences(made) == []
    for carry in made.engine.carries.values():
        if carry.state is State.HALTED:
            assert any("HALTED" in text for text in made.messages)


def spot_orders(made: Rig) -> list[dict[str, Any]]:
    """Return our spot orders as the exchange took them."""
    return [row for row in made.spot_exchange.audit("taken") if row["venue"] == "spot"]
