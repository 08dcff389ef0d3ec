"""JSON rows that spot and USD-M have in common: klines, tickers, books.

Numbers are strings, as Binance sends them: the shortest text that reads back to the same float.
"""

from decimal import Decimal

import numpy as np

from paper_exchange.book import Book
from paper_exchange.candles import Series, bucket_end_ms
from paper_exchange.instruments import Instrument
from paper_exchange.view import DayStatistics

JsonRow = list[object]
JsonObject = dict[str, object]

_TRADES_PER_CANDLE = 4
_NUMBER_DECIMALS = 8


def number(value: float) -> str:
    """Return a price or quantity as text that reads back to the same float, without an exponent."""
    return str(np.format_float_positional(value, unique=True, trim="0", min_digits=2))


def amount(value: float) -> str:
    """Return a computed amount (sums, averages) rounded to 8 decimals."""
    return f"{value:.{_NUMBER_DECIMALS}f}"


def plain(value: Decimal) -> str:
    """Return a decimal without an exponent."""
    return f"{value:f}"


def money(value: Decimal) -> str:
    """Return an account's amount (base or quote units) the way Binance writes it: 8 decimals."""
    return f"{value:.8f}"


def klines(series: Series) -> list[JsonRow]:
    """Return Binance's 12-element rows: open time, o, h, l, c, volume, close time, quote volume, ..."""
    rows: list[JsonRow] = []
    for open_ms, (o, h, low, c, volume) in zip(series.open_ms.tolist(), series.ohlcv.tolist(), strict=True):
        notional = volume * (o + h + low + c) / 4.0
        rows.append(
            [
                open_ms,
                number(o),
                number(h),
                number(low),
                number(c),
                number(volume),
                bucket_end_ms(open_ms, series.interval) - 1,
                amount(notional),
                _TRADES_PER_CANDLE if volume > 0 else 0,
                amount(volume / 2.0),
                amount(notional / 2.0),
                "0",
            ]
        )
    return rows


def day_ticker(item: Instrument, day: DayStatistics) -> JsonObject:
    """Return the 24-hour ticker without the book's best prices (which only spot sends)."""
    change = day.last_px - day.open_px
    mean_px = day.volume_notional / day.volume_qty if day.volume_qty > 0 else day.last_px
    last_id = day.close_ms // 1000
    return {
        "symbol": item.name,
        "priceChange": amount(change),
        "priceChangePercent": f"{100.0 * change / day.open_px:.3f}",
        "weightedAvgPrice": amount(mean_px),
        "lastPrice": number(day.last_px),
        "lastQty": plain(item.filters.lot),
        "openPrice": number(day.open_px),
        "highPrice": number(day.high_px),
        "lowPrice": number(day.low_px),
        "volume": amount(day.volume_qty),
        "quoteVolume": amount(day.volume_notional),
        "openTime": day.open_ms,
        "closeTime": day.close_ms,
        "firstId": last_id - day.candles,
        "lastId": last_id,
        "count": day.candles * _TRADES_PER_CANDLE,
    }


def book_ticker(item: Instrument, book: Book) -> JsonObject:
    """Return the best bid and ask."""
    return {
        "symbol": item.name,
        "bidPrice": plain(book.bids[0].px),
        "bidQty": plain(book.bids[0].qty),
        "askPrice": plain(book.asks[0].px),
        "askQty": plain(book.asks[0].qty),
    }


def book_sides(book: Book, now_ms: int) -> JsonObject:
    """Return the book's levels, best first, with an update id that grows with time."""
    return {
        "lastUpdateId": now_ms,
        "bids": [[plain(level.px), plain(level.qty)] for level in book.bids],
        "asks": [[plain(level.px), plain(level.qty)] for level in book.asks],
    }
