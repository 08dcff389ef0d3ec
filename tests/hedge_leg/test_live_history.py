"""A long series is read once, continued with what is served, and read again after an absence."""

import pandas as pd

from hedge_leg.live_history import LongSeries

BEGIN = pd.Timestamp("2024-01-01", tz="UTC")


def hours(first: int, last: int, value: float) -> pd.DataFrame:
    dates = pd.date_range(BEGIN + pd.Timedelta(hours=first), BEGIN + pd.Timedelta(hours=last), freq="h")
    return pd.DataFrame({"date": dates, "close": value})


def test_the_past_is_read_once_and_continued() -> None:
    series, asked = LongSeries(pd.Timedelta(hours=1)), []

    def read(since: pd.Timestamp) -> pd.DataFrame:
        asked.append(since)
        return hours(0, 90, 1.0)

    first = series.reaching("A", BEGIN, hours(80, 100, 2.0), read)
    assert first["date"].tolist() == hours(0, 100, 0.0)["date"].tolist()
    assert first["close"].tolist() == 80 * [1.0] + 21 * [2.0]
    since = BEGIN + pd.Timedelta(hours=5)
    later = series.reaching("A", since, hours(101, 105, 3.0), read)
    assert later["date"].tolist() == hours(5, 105, 0.0)["date"].tolist()
    assert asked == [BEGIN]


def test_after_an_absence_the_past_is_read_again() -> None:
    series, asked = LongSeries(pd.Timedelta(hours=1)), []

    def read(since: pd.Timestamp) -> pd.DataFrame:
        asked.append(since)
        return hours(0, 200, 1.0)

    series.reaching("A", BEGIN, hours(80, 100, 2.0), read)
    joined = series.reaching("A", BEGIN, hours(150, 160, 2.0), read)
    assert len(asked) == 2
    assert joined["date"].tolist() == hours(0, 160, 0.0)["date"].tolist()
