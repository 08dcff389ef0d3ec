"""The features of one row, computed anew in plain Python from what was known at its close.

Independent of `carry.features`: loops over rows with date <= t and settlements stamped before the close.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pandas as pd

Values = dict[str, float]
NAN = float("nan")


class Candle(NamedTuple):
    """Open time, close, volume."""

    date: datetime
    close: float
    volume: float


class Settlement(NamedTuple):
    """Stamp as recorded, rate as a fraction."""

    stamp: datetime
    rate: float


def candles_of(frame: pd.DataFrame) -> list[Candle]:
    """Return the rows of a candle frame."""
    rows = zip(frame["date"].dt.to_pydatetime(), frame["close"], frame["volume"], strict=True)
    return [Candle(date, float(close), float(volume)) for date, close, volume in rows]


def settlements_of(frame: pd.DataFrame) -> list[Settlement]:
    """Return the rows of a funding frame."""
    rows = zip(frame["date"].dt.to_pydatetime(), frame["funding_rate"], strict=True)
    return [Settlement(stamp, float(rate)) for stamp, rate in rows]


def naive_features(
    perp: list[Candle], spot: list[Candle], funding: list[Settlement], at: datetime, step: timedelta
) -> Values:
    """Compute every feature of the perp candle opened `at`."""
    seen = [candle for candle in perp if candle.date <= at]
    traded = {candle.date: candle.close for candle in spot if candle.date <= at and candle.volume > 0}
    spreads = {candle.date: _spread(candle, traded.get(candle.date, NAN)) for candle in seen[-1000:]}
    spot_close = traded.get(at, NAN)
    values = {
        "spot_close": spot_close,
        "spot_traded": float(not math.isnan(spot_close)),
        "spread_bps": spreads[at],
        "spread_zscore_72h": _zscore(spreads, seen[0].date, at, step),
    }
    return values | _funding_values(_known(funding, at + step), at + step)


def _spread(perp: Candle, spot_close: float) -> float:
    return (perp.close / spot_close - 1) * 1e4 if perp.volume > 0 else NAN


def _zscore(spreads: dict[datetime, float], first: datetime, at: datetime, step: timedelta) -> float:
    bars = timedelta(hours=72) // step
    if at - (bars - 1) * step < first or math.isnan(spreads[at]):
        return NAN
    window = [spreads.get(at - back * step, NAN) for back in range(bars)]
    valid = [spread for spread in window if not math.isnan(spread)]
    if len(valid) < 0.9 * bars:
        return NAN
    mean = math.fsum(valid) / len(valid)
    std = math.sqrt(math.fsum((spread - mean) ** 2 for spread in valid) / len(valid))
    return NAN if std <= 1e-6 * max(1.0, abs(mean)) else (spreads[at] - mean) / std


def _known(funding: list[Settlement], closed: datetime) -> list[Settlement]:
    """Return what had settled before `closed`, stamps rounded to the minute, one row per stamp."""
    by_stamp: dict[datetime, float] = {}
    for stamp, rate in funding:
        minute = datetime.fromtimestamp(round(stamp.timestamp() / 60) * 60, tz=UTC)
        if minute < closed and not math.isnan(rate):
            by_stamp[minute] = rate
    return [Settlement(stamp, by_stamp[stamp]) for stamp in sorted(by_stamp)]


def _interval(known: list[Settlement], place: int) -> float:
    """Return the hours before settlement `place`, NaN when one is missing or it is the first."""
    if place == 0:
        return NAN
    hours = round((known[place].stamp - known[place - 1].stamp).total_seconds() / 3600)
    return float(hours) if hours in {1, 2, 4, 8} else NAN


def _run(known: list[Settlement], *, positive: bool) -> list[Settlement]:
    """Return the settlements of that sign up to the last, newest first, back to a sign change or a gap."""
    run = []
    for place in range(len(known) - 1, -1, -1):
        if (known[place].rate > 0) is not positive:
            break
        run.append(known[place])
        if math.isnan(_interval(known, place)):
            break
    return run


def _funding_values(known: list[Settlement], closed: datetime) -> Values:
    names = ("funding_bps", "funding_age_h", "funding_interval_h", "daily_funding_bps", "negative_funding_h")
    values = dict.fromkeys((*names, "funding_mean_24h_bps", "hours_to_settlement"), NAN)
    values |= {"positive_streak": 0.0, "positive_funding_regime": 0.0} | _moments(known)
    if not known:
        return values
    last, interval = known[-1], _interval(known, len(known) - 1)
    age = (closed - last.stamp).total_seconds() / 3600
    intervals = [_interval(known, place) for place in range(len(known))]
    judged = [each for each in intervals if not math.isnan(each)] or [8.0]
    values |= {"funding_age_h": age, "funding_interval_h": interval}
    day = [each.rate * 1e4 for each in known if each.stamp >= closed - timedelta(hours=24)]
    if day:
        values["funding_mean_24h_bps"] = math.fsum(day) / len(day)
        values["positive_funding_regime"] = float(math.fsum(day) > 0)
    if not math.isnan(interval):
        due = last.stamp
        while due < closed:
            due += timedelta(hours=interval)
        values["hours_to_settlement"] = (due - closed).total_seconds() / 3600
    if age <= 2 * judged[-1]:
        negative = _run(known, positive=False)
        since = (closed - negative[-1].stamp).total_seconds() / 3600 if negative else 0.0
        values |= {"funding_bps": last.rate * 1e4, "daily_funding_bps": last.rate * 1e4 * 24 / interval}
        values |= {"positive_streak": float(len(_run(known, positive=True))), "negative_funding_h": since}
    return values


def _moments(known: list[Settlement]) -> Values:
    values: Values = {}
    rates = [each.rate * 1e4 for each in known[-360:]]
    for prefix, each in (("funding_", rates), ("funding_abs_", [abs(rate) for rate in rates])):
        mean = std = NAN
        if len(each) >= 90:
            mean = math.fsum(each) / len(each)
            std = math.sqrt(math.fsum((rate - mean) ** 2 for rate in each) / len(each))
        values |= {f"{prefix}mean_360_bps": mean, f"{prefix}std_360_bps": std}
    return values
