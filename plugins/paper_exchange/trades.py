"""Trades between the candles: each candle of the finest series stands for four trades along its path.

Open, both extremes in the path's order, close; a quarter of the volume each, at equal distances in time. Ids
follow from time, so the same trade always has the same id, and ids grow with time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from paper_exchange.candles import Kind, Series, bucket_end_ms
from paper_exchange.rows import JsonObject, amount, number
from paper_exchange.view import MarketView

TRADES_PER_CANDLE = 4


@dataclass(frozen=True, slots=True)
class Trade:
    """One public trade; price in quote, quantity in base units."""

    identity: int
    at_ms: int
    px: float
    qty: float
    buyer_is_maker: bool


def trades_between(
    view: MarketView,
    kind: Kind,
    name: str,
    *,
    start_ms: int | None,
    end_ms: int | None,
    first_id: int | None,
    limit: int,
) -> list[Trade]:
    """Return trades up to now: the first `limit` from `start_ms` or `first_id` on, else the last `limit`."""
    series = view.store.finest(kind, name)
    if series is None:
        return []
    until_ms = view.now_ms() if end_ms is None else min(end_ms, view.now_ms())
    from_ms = start_ms if first_id is None else first_id // TRADES_PER_CANDLE * 1000
    anchor = series.position(until_ms if from_ms is None else from_ms)
    candles = limit // TRADES_PER_CANDLE + 2
    window = series.rows(max(anchor - (candles if from_ms is None else 0), 0), max(anchor, 0) + candles)
    chosen = [
        trade
        for trade in _trades(window)
        if trade.at_ms <= until_ms
        and (start_ms is None or trade.at_ms >= start_ms)
        and (first_id is None or trade.identity >= first_id)
    ]
    return chosen[-limit:] if from_ms is None else chosen[:limit]


def aggregate_row(trade: Trade) -> JsonObject:
    """Return a row of `aggTrades`."""
    return {
        "a": trade.identity,
        "p": number(trade.px),
        "q": amount(trade.qty),
        "f": trade.identity,
        "l": trade.identity,
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
    }


def trade_row(trade: Trade) -> JsonObject:
    """Return a row of `trades`."""
    return {
        "id": trade.identity,
        "price": number(trade.px),
        "qty": amount(trade.qty),
        "quoteQty": amount(trade.qty * trade.px),
        "time": trade.at_ms,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def _trades(series: Series) -> Iterator[Trade]:
    for open_ms, (o, h, low, c, volume) in zip(series.open_ms.tolist(), series.ohlcv.tolist(), strict=True):
        path = (o, low, h, c) if c >= o else (o, h, low, c)
        length = bucket_end_ms(open_ms, series.interval) - open_ms
        for turn, px in enumerate(path):
            yield Trade(
                identity=open_ms // 1000 * TRADES_PER_CANDLE + turn,
                at_ms=open_ms + (length - 1) * turn // (TRADES_PER_CANDLE - 1),
                px=px,
                qty=volume / TRADES_PER_CANDLE,
                buyer_is_maker=turn % 2 == 0,
            )
