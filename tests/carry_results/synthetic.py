"""A small recorded market and freqtrade exports of our own making, for tests without an exchange.

`write_market` writes the four series of pairs; `naive_parts` books a carry step by step in plain Python,
the slow way, as docs/accounting.md words it: it is the second opinion on the vectorized ledger.
"""

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carry.costs import CostModel
from carry.ledger import Fills, Parts
from carry.tape import Tape

HOUR_MS = 3_600_000
HOUR_NS = 3_600_000_000_000
START = pd.Timestamp("2024-01-01", tz="UTC")
START_MS = int(START.timestamp() * 1000)


def random_walk(hours: int, seed: int, start_px: float = 100.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (perp, spot) hourly candles whose basis moves; rounded to 4 decimals."""
    rng = np.random.default_rng(seed)
    spot_px = start_px * np.exp(np.cumsum(rng.normal(0.0, 0.01, hours + 1)))
    perp_px = spot_px * (1.0 + rng.normal(0.0005, 0.001, hours + 1))
    return _candles(perp_px, rng), _candles(spot_px, rng)


def _candles(px: np.ndarray[Any, Any], rng: np.random.Generator) -> pd.DataFrame:
    opened, closed = px[:-1], px[1:]
    wick = 1.0 + np.abs(rng.normal(0.0, 0.003, opened.size))
    frame = pd.DataFrame(
        {
            "date": pd.date_range(START, periods=opened.size, freq="h"),
            "open": opened,
            "high": np.maximum(opened, closed) * wick,
            "low": np.minimum(opened, closed) / wick,
            "close": closed,
            "volume": 10.0,
        }
    )
    prices = ["open", "high", "low", "close"]
    frame[prices] = frame[prices].round(4)
    return frame


def write_market(
    datadir: Path, pairs: Sequence[str] = ("BTC/USDT:USDT",), hours: int = 240, interval: int = 8
) -> None:
    """Write spot, perp, mark and funding of each pair below `datadir`, in freqtrade's layout."""
    (datadir / "futures").mkdir(parents=True, exist_ok=True)
    for seed, pair in enumerate(pairs):
        perp, spot = random_walk(hours, seed + 1)
        stem = pair.replace("/", "_").replace(":", "_")
        spot.to_feather(datadir / f"{stem.rsplit('_', 1)[0]}-1h.feather")
        perp.to_feather(datadir / "futures" / f"{stem}-1h-futures.feather")
        mark = perp.assign(open=(perp["open"] * 1.0001).round(4))
        mark.to_feather(datadir / "futures" / f"{stem}-1h-mark.feather")
        rng = np.random.default_rng(seed + 100)
        stamps = perp["date"][::interval] + pd.to_timedelta(rng.integers(0, 31, len(perp[::interval])), "ms")
        rates = rng.normal(0.0001, 0.0002, len(stamps)).round(8)
        funding = pd.DataFrame({"date": stamps, "funding_rate": rates}).reset_index(drop=True)
        funding.to_feather(datadir / "futures" / f"{stem}-1h-funding_rate.feather")


def order(hour: int, qty: float, px: float, entry: bool, tag: str = "") -> dict[str, Any]:
    """Return one filled order of a short trade as freqtrade 2026.9 exports it (`Order.to_json(minified)`)."""
    return {
        "amount": qty,
        "safe_price": px,
        "ft_order_side": "sell" if entry else "buy",
        "order_filled_timestamp": START_MS + hour * HOUR_MS,
        "ft_is_entry": entry,
        "ft_order_tag": tag,
        "cost": qty * px,
    }


def trade(
    orders: Sequence[Mapping[str, Any]],
    pair: str = "BTC/USDT:USDT",
    profit_abs: float = 0.0,
    exit_reason: str = "exit_signal",
) -> dict[str, Any]:
    """Return one closed short trade of an export; fees 5 bps."""
    return {
        "pair": pair,
        "open_timestamp": orders[0]["order_filled_timestamp"],
        "close_timestamp": orders[-1]["order_filled_timestamp"],
        "amount": 0.0,
        "fee_open": 0.0005,
        "fee_close": 0.0005,
        "profit_abs": profit_abs,
        "leverage": 3.0,
        "is_short": True,
        "exit_reason": exit_reason,
        "enter_tag": "carry",
        "orders": list(orders),
    }


def strategy(trades: Sequence[Mapping[str, Any]], hours: int = 240, **changes: object) -> dict[str, Any]:
    """Return one strategy's block of an export over `hours` candles."""
    return {
        "trades": list(trades),
        "timeframe": "1h",
        "timeframe_detail": "",
        "starting_balance": 10_000.0,
        "stake_currency": "USDT",
        "backtest_start_ts": START_MS,
        "backtest_end_ts": START_MS + (hours - 1) * HOUR_MS,
        **changes,
    }


def write_export(
    folder: Path, strategies: Mapping[str, Any], hedge_leg: Mapping[str, Any] | None = None
) -> Path:
    """Write a results directory as freqtrade does: zip, inner JSON, config, .last_result.json."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = "backtest-result-2026-09-30_12-00-00"
    block = {"leverage": 3, "costs": {}, "spot_lots": {"BTC": 0.001}} if hedge_leg is None else hedge_leg
    with zipfile.ZipFile(folder / f"{stem}.zip", "w") as archive:
        archive.writestr(f"{stem}.json", json.dumps({"strategy": strategies, "strategy_comparison": []}))
        archive.writestr(f"{stem}_config.json", json.dumps({"hedge_leg": block} if block else {}))
    (folder / ".last_result.json").write_text(json.dumps({"latest_backtest": f"{stem}.zip"}))
    return folder


def naive_parts(fills: Fills, tape: Tape, costs: CostModel, lot: float) -> Parts:
    """Book one carry in plain Python, instant by instant and settlement by settlement."""
    by_instant: dict[int, list[int]] = {}
    for row, at_ns in enumerate(fills.at_ns.tolist()):
        by_instant.setdefault(at_ns, []).append(row)
    perp, spot, average = Decimal(0), 0.0, 0.0
    basis = funding = fees_perp = fees_spot = slippage = borrow = 0.0
    previous_ns: int | None = None
    for at_ns, rows in sorted(by_instant.items()):
        if previous_ns is not None:
            funding += _naive_funding(tape, previous_ns, at_ns, float(perp))
            borrow += (
                abs(spot) * average * costs.borrow_daily_bps * 1e-4 * (at_ns - previous_ns) / HOUR_NS / 24
            )
        net_qty, value, gross = Decimal(0), 0.0, 0.0
        for row in rows:
            qty, px = float(fills.qty[row]), float(fills.px[row])
            net_qty += Decimal(str(qty))
            basis -= qty * px
            fees_perp += abs(qty) * px * float(fills.fee_rate[row])
            value += abs(qty) * px
            gross += abs(qty)
        perp_slip = abs(float(net_qty)) * (value / gross) * costs.perp_slippage_bps * 1e-4
        basis -= perp_slip
        perp += net_qty
        target = float(abs(perp) // Decimal(str(lot)) * Decimal(str(lot))) * (1.0 if perp < 0 else -1.0)
        change = target - spot
        raw_px = _naive_spot_px(tape, at_ns, fills, rows)
        px = raw_px * (1.0 + math.copysign(costs.spot_slippage_bps * 1e-4, change))
        basis -= change * px
        fees_spot += abs(change) * px * costs.spot_fee_rate
        slippage += perp_slip + abs(change) * abs(px - raw_px)
        if abs(target) > abs(spot):
            average = (abs(spot) * average + abs(change) * px) / abs(target)
        spot, previous_ns = target, at_ns
    return Parts(basis, funding, fees_perp, fees_spot, slippage, costs.fixed_per_trade, borrow)


def _naive_funding(tape: Tape, after_ns: int, until_ns: int, perp: float) -> float:
    total = 0.0
    for at_ns, rate, mark in zip(tape.settle_ns, tape.settle_rate, tape.settle_mark_px, strict=True):
        if after_ns < at_ns <= until_ns:
            total += -perp * rate * mark
    return total


def _naive_spot_px(tape: Tape, at_ns: int, fills: Fills, rows: list[int]) -> float:
    candles = list(zip(tape.spot_ns, tape.spot_open, tape.spot_low, tape.spot_high, strict=True))
    for opened_ns, opened, low, high in candles:
        if opened_ns >= at_ns:
            if opened_ns > at_ns or not any(fills.off_open[row] for row in rows):
                return float(opened)
            weight = sum(abs(fills.qty[row]) for row in rows)
            perp_px = sum(abs(fills.qty[row]) * fills.px[row] for row in rows) / weight
            perp_open = dict(zip(tape.perp_ns.tolist(), tape.perp_open.tolist(), strict=True))[at_ns]
            return float(min(max(perp_px * opened / perp_open, low), high))
    return float(tape.spot_close[-1])
