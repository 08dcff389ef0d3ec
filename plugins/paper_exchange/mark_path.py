"""The mark price between two moments, as straight lines: what decides when a position is liquidated.

The mark is the last price times a ratio that changes when a mark candle closes (see `view`), so it moves on
the last price's path, stretched. Lines end where any of the asked symbols turns or its ratio changes; a line
knows its value right after its start and right before its end, so that a jump lies between two lines. Nothing
here depends on which moments a client happens to look at.
"""

from dataclasses import dataclass

import numpy as np

from paper_exchange.candles import HOUR_MS, Floats, Kind
from paper_exchange.instruments import Instrument
from paper_exchange.matching import price_path
from paper_exchange.view import MARK_VALID_MS, MarketView


@dataclass(frozen=True, slots=True)
class Lines:
    """Marks of k symbols on n lines. Prices in quote; `edges_ms` ascending."""

    edges_ms: Floats  # shape (n + 1,)
    first_px: Floats  # shape (k, n): right after a line's start
    last_px: Floats  # shape (k, n): right before its end

    def at(self, line: int, moment_ms: float) -> Floats:
        """Return the marks at a moment on a line, shape (k,)."""
        start_ms, end_ms = self.edges_ms[line : line + 2]
        gone = (moment_ms - start_ms) / (end_ms - start_ms)
        return np.asarray(self.first_px[:, line] + (self.last_px[:, line] - self.first_px[:, line]) * gone)


def mark_lines(view: MarketView, items: list[Instrument], after_ms: int, until_ms: int) -> Lines:
    """Return the marks in [after_ms, until_ms + 1); every item has a price at `after_ms`."""
    paths = [price_path(view, item, after_ms, until_ms + 1) for item in items]
    changes = [_ratio_changes_ms(view, item, after_ms, until_ms + 1) for item in items]
    turns = np.unique(np.concatenate([times for times, _ in paths] + changes))
    inner = turns[(turns > after_ms) & (turns < until_ms + 1)]
    edges = np.concatenate([[float(after_ms)], inner, [until_ms + 1.0]])
    first, last = np.empty((len(items), len(edges) - 1)), np.empty((len(items), len(edges) - 1))
    for row, (item, (times, prices)) in enumerate(zip(items, paths, strict=True)):
        ratios = _ratios(view, item, edges[:-1])
        piece = np.clip(np.searchsorted(times, (edges[:-1] + edges[1:]) / 2, side="right") - 1, 0, None)
        piece = np.minimum(piece, len(times) - 2)
        length = times[piece + 1] - times[piece]
        slope = (prices[piece + 1] - prices[piece]) / np.where(length > 0.0, length, 1.0)
        first[row] = (prices[piece] + slope * (edges[:-1] - times[piece])) * ratios
        last[row] = (prices[piece] + slope * (edges[1:] - times[piece])) * ratios
    return Lines(edges, first, last)


def _ratio_changes_ms(view: MarketView, item: Instrument, after_ms: int, until_ms: int) -> Floats:
    """Return when mark candles have closed, or become too old to count, in (after_ms, until_ms)."""
    mark = view.store.finest(Kind.MARK, item.name)
    if mark is None:
        return np.empty(0)
    low = max(mark.position(after_ms - MARK_VALID_MS - 2 * HOUR_MS), 0)
    window = mark.rows(low, mark.position(until_ms) + 1)
    closed = [window.candle(index).close_ms + 1.0 for index in range(len(window))]
    return np.array([ms + late for ms in closed for late in (0.0, float(MARK_VALID_MS))])


def _ratios(view: MarketView, item: Instrument, starts_ms: Floats) -> Floats:
    """Return mark / last of the lines that start at these moments, shape as given."""
    return np.array([view.mark_ratio(item.name, int(np.ceil(ms))) for ms in starts_ms.tolist()])
