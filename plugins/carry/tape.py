"""One pair's recorded market as sorted arrays: what the two-leg arithmetic looks prices up in.

Instants are int64 nanoseconds since the epoch (UTC). Spot candles that did not trade (absent or volume 0)
are not on the tape at all, so "the next traded candle" is the next row.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.errors import DataError
from carry.market import Market, settle_stamps, timeframe_delta

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
_LONGEST_INTERVAL_NS = 8 * HOUR_NS + 60_000_000_000  # no venue settles less often; a minute of jitter
_STALE_NS = DAY_NS  # spot recorded no closer than this to a fill is missing, not an outage


@dataclass(frozen=True, slots=True)
class Tape:
    """Arrays of one pair, each group sorted by its `_ns` column (open time of the candle, or settlement).

    `spot_*`: traded candles only, shape (s,). `perp_*`: shape (p,). `settle_*`: shape (f,);
    `settle_mark_px` is the open of the 1h mark candle at the settlement, NaN where it is absent.
    `settle_hole` (f-1,): True where settlements are missing between a row and the next.
    """

    pair: str
    spot_ns: Ints
    spot_open: Floats
    spot_high: Floats
    spot_low: Floats
    spot_close: Floats
    perp_ns: Ints
    perp_open: Floats
    settle_ns: Ints
    settle_rate: Floats
    settle_mark_px: Floats
    settle_hole: Bools


@dataclass(frozen=True, slots=True)
class Closes:
    """Prices at candle closes for marking: the perp's candles, shape (n,), sorted.

    `close_ns` is the instant of the close (open time + timeframe). `spot_close` is NaN where the spot did
    not trade in that bar: such a bar marks nothing.
    """

    close_ns: Ints
    perp_close: Floats
    spot_close: Floats


def instants(dates: "pd.Series[pd.Timestamp]") -> Ints:
    """Return aware UTC dates as int64 nanoseconds."""
    return dates.dt.tz_convert(None).to_numpy(dtype="datetime64[ns]").astype(np.int64)


def iso(at_ns: int) -> str:
    """Return an instant as ISO-8601 UTC, such as 2024-01-01T08:00:00+00:00."""
    return pd.Timestamp(at_ns, unit="ns", tz="UTC").isoformat()


def _column(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64)


def build_tape(market: Market) -> Tape:
    """Turn a recorded market into a tape; DataError if the pair has no traded spot or no settlement."""
    spot = market.spot[market.spot["volume"] > 0]
    if spot.empty:
        raise DataError(f"{market.pair}: no traded spot candle is recorded: download the spot data")
    funding = market.funding.assign(date=settle_stamps(market.funding["date"]))
    funding = funding.drop_duplicates("date", keep="last")
    if funding.empty:
        raise DataError(f"{market.pair}: no funding settlement is recorded: download the funding data")
    if funding["funding_rate"].isna().any():
        raise DataError(f"{market.pair}: the funding file has an empty rate: download it again")
    settle_ns = instants(funding["date"])
    return Tape(
        pair=market.pair,
        spot_ns=instants(spot["date"]),
        spot_open=_column(spot, "open"),
        spot_high=_column(spot, "high"),
        spot_low=_column(spot, "low"),
        spot_close=_column(spot, "close"),
        perp_ns=instants(market.perp["date"]),
        perp_open=_column(market.perp, "open"),
        settle_ns=settle_ns,
        settle_rate=_column(funding, "funding_rate"),
        settle_mark_px=_at(instants(market.mark["date"]), _column(market.mark, "open"), settle_ns),
        settle_hole=settlement_holes(settle_ns),
    )


def build_closes(market: Market) -> Closes:
    """Return the closes of a market at its own timeframe, one row per perp candle."""
    perp_ns = instants(market.perp["date"])
    spot = market.spot[market.spot["volume"] > 0]
    step_ns = timeframe_delta(market.timeframe).value
    return Closes(
        close_ns=perp_ns + step_ns,
        perp_close=_column(market.perp, "close"),
        spot_close=_at(instants(spot["date"]), _column(spot, "close"), perp_ns),
    )


def _at(known_ns: Ints, values: Floats, wanted_ns: Ints) -> Floats:
    """Return `values` at exactly `wanted_ns`; NaN where that instant is not recorded."""
    found = np.full(wanted_ns.shape, np.nan)
    if known_ns.size == 0:
        return found
    row = np.minimum(np.searchsorted(known_ns, wanted_ns), known_ns.size - 1)
    hit = known_ns[row] == wanted_ns
    found[hit] = values[row[hit]]
    return found


def settlement_holes(settle_ns: Ints) -> Bools:
    """Return, per gap between settlements, whether settlements are missing in it; shape (f-1,).

    A gap is a hole when it is longer than 8 h, or than 1.5 times both its neighbours: an interval that
    changes from 8 h to 4 h or back is not a hole, one absent settlement is.
    """
    gap = np.diff(settle_ns)
    hole = gap > _LONGEST_INTERVAL_NS
    if gap.size >= 2:
        before = np.concatenate([gap[1:2], gap[:-1]])
        after = np.concatenate([gap[1:], gap[-2:-1]])
        hole |= gap > 1.5 * np.maximum(before, after)
    return hole


def require_coverage(tape: Tape, fills_ns: Ints) -> None:
    """Raise DataError, naming pair and range, if a trade with fills at these instants cannot be recomputed.

    Needed: traded spot within a day of each fill (what is longer is missing data, not an outage), every
    settlement in (first, last], and a mark for each of them.
    """
    first_ns, last_ns = int(fills_ns[0]), int(fills_ns[-1])
    held = f"{tape.pair} {iso(first_ns)} to {iso(last_ns)}"
    rows = np.minimum(np.searchsorted(tape.spot_ns, fills_ns), tape.spot_ns.size - 1)
    stale = np.flatnonzero(np.abs(tape.spot_ns[rows] - fills_ns) > _STALE_NS)
    if stale.size:
        raise DataError(
            f"spot data do not cover {held}: no traded candle within a day of the fill at "
            f"{iso(int(fills_ns[stale[0]]))}; download the missing range"
        )
    _require_settlements(tape, first_ns, last_ns, held)


def _require_settlements(tape: Tape, first_ns: int, last_ns: int, held: str) -> None:
    """Raise DataError where a settlement or its mark is missing in (first, last]."""
    settle_ns = tape.settle_ns
    gaps = np.diff(settle_ns)
    lead = int(gaps[0]) if gaps.size else 8 * HOUR_NS
    tail = int(gaps[-1]) if gaps.size else 8 * HOUR_NS
    if settle_ns[0] - first_ns > lead or last_ns - settle_ns[-1] >= tail:
        raise DataError(
            f"funding data do not cover {held}: settlements are recorded from {iso(int(settle_ns[0]))} to "
            f"{iso(int(settle_ns[-1]))}; download the missing range"
        )
    begin, end = (int(row) for row in np.searchsorted(settle_ns, [first_ns, last_ns], side="right"))
    holes = np.flatnonzero(tape.settle_hole[max(begin - 1, 0) : end])
    for hole in holes:
        left, right = settle_ns[max(begin - 1, 0) + hole : max(begin - 1, 0) + hole + 2]
        if left < last_ns and right > first_ns:
            raise DataError(
                f"funding settlements are missing between {iso(int(left))} and {iso(int(right))}, needed for "
                f"{held}; download the funding data again"
            )
    unmarked = np.flatnonzero(np.isnan(tape.settle_mark_px[begin:end]))
    if unmarked.size:
        raise DataError(
            f"mark price is missing at the settlement {iso(int(settle_ns[begin + unmarked[0]]))}, needed for "
            f"{held}; download the mark candles"
        )
