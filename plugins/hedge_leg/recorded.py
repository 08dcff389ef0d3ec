"""A recorded market as the backtest binding asks for it: spot prices, funding sums, mark highs.

Built once per pair from the raw candles of `carry.market` (nothing filled in), then only looked up:
funding over any span is the difference of two prefix sums, so a trade's cost does not grow with its
holding time. Conventions: `docs/accounting.md`.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.coverage import require_coverage
from carry.errors import DataError
from carry.market import MARK_TIMEFRAME, Market, load_market, settle_stamps, timeframe_delta
from carry.rules import ExitPolicy
from hedge_leg.core.amounts import exact

Floats = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.int64]


def epoch_ms(dates: "pd.Series[pd.Timestamp]") -> Stamps:
    """Return aware UTC dates as int64 milliseconds since the epoch."""
    return np.asarray(dates.dt.as_unit("ms").astype("int64"), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SpotTape:
    """Spot candles that were traded (volume > 0), ascending by open time in ms."""

    at_ms: Stamps
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def traded_at(self, at_ms: int) -> bool:
        """Return whether the candle that opened at `at_ms` was traded."""
        row = int(np.searchsorted(self.at_ms, at_ms))
        return row < len(self.at_ms) and int(self.at_ms[row]) == at_ms


def spot_tape(spot: pd.DataFrame) -> SpotTape:
    """Keep the traded candles of a spot frame as arrays."""
    traded = spot.loc[spot["volume"] > 0]
    columns = (traded[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close"))
    return SpotTape(epoch_ms(traded["date"]), *columns)


@dataclass(frozen=True, slots=True)
class RecordedMarket:
    """The `MarketView` of recorded candles, plus what exits and liquidation checks need.

    `funding_sum[i]` = sum of rate x mark open over the first i settlements, quote per base unit.
    """

    pair: str
    tape: SpotTape
    perp_ms: Stamps
    perp_open: Floats
    settled_ms: Stamps
    funding_sum: Floats
    mark_ms: Stamps
    mark_high: Floats

    def traded_at(self, at_ms: int) -> bool:
        """Return whether spot could be traded at a candle's open."""
        return self.tape.traded_at(at_ms)

    def spot_px(self, at_ms: int, perp_px: Decimal, *, at_open: bool) -> Decimal:
        """Return the spot price, before slippage, that mirrors a perp fill at `at_ms`.

        In an outage: the next traded open, else the last traded close. Raises DataError when the pair's
        spot was never traded.
        """
        tape = self.tape
        if len(tape.at_ms) == 0:
            raise DataError(f"{self.pair}: spot was never traded in the recorded range")
        row = int(np.searchsorted(tape.at_ms, at_ms))
        if row == len(tape.at_ms):
            return exact(float(tape.close[-1]))
        if at_open or int(tape.at_ms[row]) != at_ms:
            return exact(float(tape.open[row]))
        perp_row = min(int(np.searchsorted(self.perp_ms, at_ms)), len(self.perp_ms) - 1)
        scaled = float(perp_px) * float(tape.open[row]) / float(self.perp_open[perp_row])
        return exact(min(max(scaled, float(tape.low[row])), float(tape.high[row])))

    def funding_per_unit(self, after_ms: int, until_ms: int) -> Decimal:
        """Return the sum of rate x mark over the settlements in (after, until], quote per base unit."""
        first, last = np.searchsorted(self.settled_ms, (after_ms, until_ms), side="right")
        return exact(float(self.funding_sum[last] - self.funding_sum[first]))

    def settled_between(self, after_ms: int, until_ms: int) -> bool:
        """Return whether a settlement lies in (after, until]."""
        first, last = np.searchsorted(self.settled_ms, (after_ms, until_ms), side="right")
        return bool(last > first)

    def liquidation_high(self, at_ms: int, perp_high: float) -> float:
        """Return the highest price that can liquidate a short in the candle opened at `at_ms`.

        Exchanges liquidate on the mark, not on the last trade: on 2020-03-13 ETH's last price wicked
        to 323 while the mark's high was 119. Where the mark was not recorded, the perp's own high counts.
        """
        row = int(np.searchsorted(self.mark_ms, at_ms, side="right")) - 1
        if row < 0 or at_ms - int(self.mark_ms[row]) >= _MARK_MS:
            return perp_high
        return min(perp_high, float(self.mark_high[row]))


class SignalRows:
    """The columns of one pair's analysed frame that the scalar exit rules read, as arrays."""

    __slots__ = (
        "at_ms",
        "entry_on",
        "negative_funding_h",
        "open_ended",
        "perp_close",
        "policy",
        "spot_close",
        "step_ms",
    )

    def __init__(
        self, frame: pd.DataFrame, entry_on: "pd.Series[bool]", policy: ExitPolicy, timeframe: str
    ) -> None:
        """Keep columns of `carry.features`, the entry signal and the limits of this run."""
        self.policy = policy
        self.open_ended = policy.is_open_ended  # asked at every candle
        self.at_ms = epoch_ms(frame["date"])
        self.perp_close = frame["close"].to_numpy(dtype=float)
        self.spot_close = frame["spot_close"].to_numpy(dtype=float)
        self.negative_funding_h = frame["negative_funding_h"].to_numpy(dtype=float)
        self.entry_on = entry_on.to_numpy(dtype=bool)
        self.step_ms = int(timeframe_delta(timeframe).total_seconds() * 1000)

    def last_closed(self, now_ms: int) -> int:
        """Return the row of the last candle that was closed at `now_ms`."""
        return int(np.searchsorted(self.at_ms, now_ms - self.step_ms, side="right")) - 1


_MARK_MS = int(timeframe_delta(MARK_TIMEFRAME).total_seconds() * 1000)


def record_market(
    pair: str, perp: pd.DataFrame, spot: pd.DataFrame, mark: pd.DataFrame, funding: pd.DataFrame
) -> RecordedMarket:
    """Build the market of one pair from frames as `carry.market.read_candles` returns them.

    Settlements before the first mark candle are left out (nothing can be held then); a settlement
    without a mark after that raises DataError: funding that cannot be valued is never 0.
    """
    stamps = epoch_ms(settle_stamps(funding["date"]))
    mark_ms = epoch_ms(mark["date"])
    first = int(mark_ms[0]) if len(mark_ms) else 0
    known = stamps >= first
    stamps, rates = stamps[known], funding["funding_rate"].to_numpy(dtype=float)[known]
    rows = np.minimum(np.searchsorted(mark_ms, stamps), max(len(mark_ms) - 1, 0))
    inside = stamps <= (int(mark_ms[-1]) if len(mark_ms) else -1)
    unmatched = stamps[inside & (mark_ms[rows] != stamps)] if len(mark_ms) else stamps[:0]
    if len(unmatched):
        when = pd.Timestamp(int(unmatched[0]), unit="ms", tz="UTC")
        raise DataError(f"{pair}: no mark price at the settlement of {when:%Y-%m-%d %H:%M}: download mark")
    stamps, rates, rows = stamps[inside], rates[inside], rows[inside]
    paid = rates * mark["open"].to_numpy(dtype=float)[rows]
    return RecordedMarket(
        pair=pair,
        tape=spot_tape(spot),
        perp_ms=epoch_ms(perp["date"]),
        perp_open=perp["open"].to_numpy(dtype=float),
        settled_ms=stamps,
        funding_sum=np.concatenate(([0.0], np.cumsum(paid))),
        mark_ms=mark_ms,
        mark_high=mark["high"].to_numpy(dtype=float),
    )


def load_recorded(
    datadir: Path, pair: str, timeframe: str, detail: str | None, start: pd.Timestamp, end: pd.Timestamp
) -> tuple[Market, RecordedMarket]:
    """Load one pair's market for a run whose candles open from `start` to `end`.

    Returns the frames for the features (in `timeframe`) and the market for the fills (in `detail` if
    given), both cut after `end`: what lies beyond the run's data must not be seen. Raises DataError, in one
    line, where the data do not cover the run.
    """
    require_coverage(datadir, pair, timeframe, start, end)
    coarse = load_market(datadir, pair, timeframe)
    fine = coarse
    if detail:
        require_coverage(datadir, pair, detail, start, end)
        fine = load_market(datadir, pair, detail)
    stop = end + timeframe_delta(timeframe)
    spot, mark, funding = (before(stop, frame) for frame in (coarse.spot, coarse.mark, coarse.funding))
    seen = Market(pair, timeframe, coarse.perp, spot, mark, funding)
    fills = record_market(pair, before(stop, fine.perp), before(stop, fine.spot), mark, funding)
    return seen, fills


def before(stop: pd.Timestamp, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a frame that are dated before `stop`."""
    return frame.loc[frame["date"] < stop].reset_index(drop=True)
