"""Each defect of recorded data is found, with its severity, place and remedy; whole data gives none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carry.coverage import check_pair, inspect_pair, perps_in, require_coverage
from carry.errors import DataError, UsageError
from carry.findings import SAMPLE_MARKER, Code, Finding, Severity
from carry.market import candle_path
from carry.timerange import Timerange, parse_timerange
from tests.carry_data.defects import DEFECTS, set_cell, stamps, twice, without
from tests.carry_data.markets import PAIR, START, market

END = START + pd.Timedelta(240, unit="h")


def hour(count: float) -> pd.Timedelta:
    return pd.Timedelta(count, unit="h")


def found_in(datadir: Path) -> list[Finding]:
    return check_pair(datadir, PAIR, "1h", START, END)


def test_whole_market_has_no_findings_and_full_coverage(tmp_path: Path) -> None:
    found = inspect_pair(market().write(tmp_path), PAIR, "1h", START, END)
    assert found.findings == ()
    assert [line.share for line in found.series] == [100.0] * 4
    assert [line.rows for line in found.series] == [240, 240, 240, 30]
    require_coverage(tmp_path, PAIR, "1h", START, END)


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_is_found_and_only_errors_stop(tmp_path: Path, name: str) -> None:
    defect, series, severity, code = DEFECTS[name]
    found = found_in(defect(market()).write(tmp_path))
    assert (series, severity, code) in {(each.series, each.severity, each.code) for each in found}
    assert all("\n" not in each.message for each in found)
    if severity is Severity.ERROR:
        mine = next(each for each in found if each.code is code and each.series == series)
        assert mine.remedy.startswith(f"carry download --pairs {PAIR} --timerange 2024")
        with pytest.raises(DataError):
            require_coverage(tmp_path, PAIR, "1h", START, END)
    else:
        assert not [each for each in found if each.severity is Severity.ERROR]
        require_coverage(tmp_path, PAIR, "1h", START, END)


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_gives_no_second_error(tmp_path: Path, name: str) -> None:
    defect, _, severity, code = DEFECTS[name]
    errors = {found.code for found in found_in(defect(market()).write(tmp_path)) if found.severity == "error"}
    # a stamp moved or doubled is also no longer on a mark candle
    follows = {"stamp 61 s late": {Code.MARK_MISSING}, "interval of 6 h": set()}.get(name, set())
    assert errors == ({code} if severity is Severity.ERROR else set()) | follows


@pytest.mark.parametrize("kind", ["futures", "spot", "mark", "funding_rate"])
def test_missing_and_corrupt_files_are_one_line_each(tmp_path: Path, kind: str) -> None:
    market().write(tmp_path)
    path = candle_path(tmp_path, PAIR, "1h", kind)
    path.write_bytes(b"not a feather file")
    corrupt = found_in(tmp_path)[0]
    assert (corrupt.code, corrupt.series) == (Code.CORRUPT, kind)
    assert corrupt.remedy.endswith("--erase")
    path.unlink()
    missing = found_in(tmp_path)[0]
    assert (missing.code, missing.series, missing.start, missing.end) == (Code.MISSING, kind, START, END)
    assert "\n" not in corrupt.message + missing.message


def test_error_names_pair_series_range_and_command(tmp_path: Path) -> None:
    whole = market()
    replace(whole, spot=without(whole.spot, 0, 47)).write(tmp_path)
    with pytest.raises(DataError) as caught:
        require_coverage(tmp_path, PAIR, "1h", START, END, exchange="bybit")
    assert str(caught.value) == (
        "BTC/USDT:USDT spot: nothing from 2024-03-01 00:00 to 2024-03-03 00:00, where the perp has candles;"
        f" run `carry download --pairs BTC/USDT:USDT --timerange 20240301-20240303 --timeframes 1h"
        f" --datadir {tmp_path} --exchange bybit`"
    )


def test_remedy_for_a_hole_downloads_all_that_is_held_anew(tmp_path: Path) -> None:
    whole = market()
    replace(whole, mark=without(whole.mark, 80, 80)).write(tmp_path)
    first = check_pair(tmp_path, PAIR, "1h", START + hour(72), START + hour(96))[0]
    assert "--timerange 20240301-20240311" in first.remedy
    assert first.remedy.endswith("--erase")


def test_interval_change_is_a_note_from_to_when(tmp_path: Path) -> None:
    changed = stamps([8] * 10 + [4] * 20 + [1] * 40 + [8] * 5)
    found = found_in(replace(market(), funding=changed).write(tmp_path))
    assert [(each.severity, each.code) for each in found] == [(Severity.NOTE, Code.INTERVAL_CHANGE)]
    assert found[0].message == (
        "interval changed: 8 h to 4 h at 2024-03-04 12:00, 4 h to 1 h at 2024-03-07 17:00,"
        " 1 h to 8 h at 2024-03-09 16:00"
    )


def test_defects_outside_the_range_are_not_reported(tmp_path: Path) -> None:
    whole = market()
    spot = set_cell(twice(without(whole.spot, 200, 230), 195, close=1.0), 190, "close", np.nan)
    replace(whole, spot=spot, mark=without(whole.mark, 208, 208), perp=without(whole.perp, 180, 210)).write(
        tmp_path
    )
    assert check_pair(tmp_path, PAIR, "1h", START, START + hour(170)) == []


def test_mark_rows_only_at_settlements_are_enough(tmp_path: Path) -> None:
    whole = market()
    sparse = whole.mark.loc[whole.mark["date"].isin(whole.funding["date"])].reset_index(drop=True)
    assert found_in(replace(whole, mark=sparse).write(tmp_path)) == []


def test_mark_candles_need_no_volume(tmp_path: Path) -> None:
    whole = market()
    assert found_in(replace(whole, mark=whole.mark.assign(volume=np.nan)).write(tmp_path)) == []


def test_sample_market_is_mended_by_writing_it_again(tmp_path: Path) -> None:
    market().write(tmp_path)
    candle_path(tmp_path, PAIR, "1h", "spot").unlink()
    (tmp_path / SAMPLE_MARKER).write_text("{}")
    assert found_in(tmp_path)[0].remedy == f"carry sample-data --datadir {tmp_path} --force"


def test_outage_message_counts_places_candles_hours_and_the_longest(tmp_path: Path) -> None:
    whole = market()
    spot = set_cell(without(whole.spot, 100, 103), 20, "volume", 0.0)
    (found,) = found_in(replace(whole, spot=spot).write(tmp_path))
    assert found.message == "outage in 2 places, 5 candles, 5 h in all, longest 4 h from 2024-03-05 04:00"
    assert (found.start, found.end) == (START + hour(100), START + hour(104))


def test_recorded_binance_has_no_errors(recorded: Path) -> None:
    wanted = parse_timerange("20200201-20241231")
    for pair in perps_in(recorded / "binance_1h"):
        found = check_pair(recorded / "binance_1h", pair, "1h", wanted.start, wanted.end)
        assert {each.code for each in found} <= {Code.OUTAGE, Code.SHORT_START}
        assert not [each for each in found if each.severity is Severity.ERROR]
    for timeframe in ("5m", "15m"):
        for pair in perps_in(recorded / "binance_5m"):
            require_coverage(recorded / "binance_5m", pair, timeframe, None, None)


def test_recorded_hyperliquid_stops_on_the_missing_mark(recorded: Path) -> None:
    with pytest.raises(
        DataError, match=r"^PURR/USDC:USDC mark: nothing from .* is missing; run `carry download"
    ):
        require_coverage(recorded / "hyperliquid", "PURR/USDC:USDC", "1h", None, None)


def test_perps_are_found_by_their_files(tmp_path: Path) -> None:
    assert perps_in(market().write(tmp_path)) == [PAIR]
    with pytest.raises(DataError, match="holds no perp"):
        perps_in(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text", ["2024", "20240101", "20240101-2024", "x", "20240230-", "20240102-20240101", "20240101-20240101"]
)
def test_bad_timerange_is_a_usage_error_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_timerange(text)
    assert "\n" not in str(caught.value)


def test_timerange_within_a_day_prints_the_whole_day() -> None:
    assert str(Timerange(START + hour(3), START + hour(27))) == "20240301-20240303"


@pytest.mark.parametrize("text", ["20240101-20240201", "20240101-", "-20240201", "-"])
def test_timerange_prints_as_it_is_written(text: str) -> None:
    assert str(parse_timerange(text)) == text
