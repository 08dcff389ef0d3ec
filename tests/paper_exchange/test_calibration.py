"""The sample market looks like the recorded one: figures and tolerances, and what the writer promises.

Targets are measured on Binance 1h data (BTC, ETH 2020-2024, SOL 2023-2024); tolerances are stated per test.
The basis' relaxation time is the -1/ln(rho) of the demeaned hourly basis.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paper_exchange.errors import DataError, UsageError
from paper_exchange.marker import SAMPLE_MARKER, is_sample_market
from paper_exchange.sample import sample_path, write_sample_market
from paper_exchange.sample_model import BURN_IN_STEPS, COIN_MODELS
from paper_exchange.sample_summary import CoinSummary, describe

COINS = ("BTC", "ETH", "SOL")
START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=6)


@pytest.fixture(scope="module")
def default_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    datadir = tmp_path_factory.mktemp("default-sample")
    write_sample_market(datadir)
    return datadir


@pytest.fixture(scope="module")
def summaries(default_market: Path) -> dict[str, CoinSummary]:
    return describe(default_market)


@pytest.fixture(scope="module")
def short_market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    datadir = tmp_path_factory.mktemp("short-sample")
    write_sample_market(datadir, start=START, end=END)
    return datadir


def digests(files: list[Path]) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.mark.parametrize(("coin", "vol"), [("BTC", 0.66), ("ETH", 0.83), ("SOL", 0.94)])
def test_spot_volatility_is_the_recorded_one_within_3_percent(
    summaries: dict[str, CoinSummary], coin: str, vol: float
) -> None:
    assert summaries[coin].spot_vol == pytest.approx(vol, rel=0.03)


@pytest.mark.parametrize(("coin", "hours", "tolerance"), [("BTC", 6.99, 0.3), ("ETH", 6.59, 0.3)])
def test_basis_relaxes_as_fast_as_recorded(
    summaries: dict[str, CoinSummary], coin: str, hours: float, tolerance: float
) -> None:
    assert summaries[coin].basis_tau_hours == pytest.approx(hours, abs=tolerance)


def test_sol_basis_relaxes_slowest_in_9_to_10_hours(summaries: dict[str, CoinSummary]) -> None:
    assert 9.0 <= summaries["SOL"].basis_tau_hours <= 10.0


@pytest.mark.parametrize(("coin", "share"), [("BTC", 0.935), ("ETH", 0.90), ("SOL", 0.89)])
def test_basis_stays_within_10_bps_most_of_the_time(
    summaries: dict[str, CoinSummary], coin: str, share: float
) -> None:
    assert share <= summaries[coin].basis_within_10_bps <= 0.97


@pytest.mark.parametrize("coin", COINS)
def test_basis_has_the_recorded_mean_spread_and_rare_excursions(
    summaries: dict[str, CoinSummary], coin: str
) -> None:
    summary = summaries[coin]
    assert -1.4 <= summary.basis_mean_bps <= 0.6  # recorded: -1.4 (SOL) to 0.6 (ETH)
    assert summary.basis_sd_bps == pytest.approx(7.0, abs=1.5)
    assert -260.0 <= summary.basis_min_bps <= -60.0
    assert 35.0 <= summary.basis_max_bps <= 260.0


def test_excursions_reach_about_200_bps_in_some_coin(summaries: dict[str, CoinSummary]) -> None:
    extremes = [max(-s.basis_min_bps, s.basis_max_bps) for s in summaries.values()]
    assert 180.0 <= max(extremes) <= 260.0


@pytest.mark.parametrize("coin", COINS)
def test_funding_is_mostly_positive_about_1_bp_with_tails_near_20_bps(
    summaries: dict[str, CoinSummary], coin: str
) -> None:
    summary = summaries[coin]
    assert 0.85 <= summary.funding_positive_share <= 0.92
    assert summary.funding_mean_bps == pytest.approx(1.1, abs=0.4)
    assert -25.0 <= summary.funding_min_bps <= -12.0
    assert 15.0 <= summary.funding_max_bps <= 32.0


@pytest.mark.parametrize("coin", COINS)
def test_funding_follows_the_basis(summaries: dict[str, CoinSummary], coin: str) -> None:
    assert summaries[coin].basis_funding_correlation >= 0.7  # recorded: 0.70 to 0.81


@pytest.mark.parametrize("coin", COINS)
def test_prices_end_at_a_plausible_multiple_of_the_start(
    summaries: dict[str, CoinSummary], coin: str
) -> None:
    assert 0.5 <= summaries[coin].end_over_start <= 6.0


def test_coins_move_together_as_recorded(default_market: Path) -> None:
    closes = pd.DataFrame(
        {coin: pd.read_feather(default_market / f"{coin}_USDT-1h.feather")["close"] for coin in COINS}
    )
    correlation = pd.DataFrame(np.diff(np.log(closes.to_numpy()), axis=0)).corr().to_numpy()
    assert correlation[0, 1] == pytest.approx(0.83, abs=0.06)
    assert correlation[0, 2] == pytest.approx(0.69, abs=0.06)
    assert correlation[1, 2] == pytest.approx(0.69, abs=0.06)


@pytest.mark.parametrize("seed", [1, 42])
def test_another_seed_is_still_the_same_kind_of_market(tmp_path: Path, seed: int) -> None:
    write_sample_market(tmp_path, seed=seed)
    for coin, summary in describe(tmp_path).items():
        assert summary.spot_vol == pytest.approx(COIN_MODELS[coin].vol, rel=0.05)
        assert summary.basis_sd_bps == pytest.approx(7.0, abs=3.0)
        assert 0.75 <= summary.funding_positive_share <= 0.97
        assert 0.4 <= summary.funding_mean_bps <= 2.6
        assert 0.4 <= summary.end_over_start <= 9.0


def test_default_market_covers_two_years_without_gap_nan_or_zero_volume(default_market: Path) -> None:
    files = sorted(default_market.glob("**/*.feather"))
    assert len(files) == 3 * 8
    for file in files:
        frame = pd.read_feather(file)
        assert not frame.isna().any().any(), file.name
        timeframe = file.name.split("-")[1].removesuffix(".feather")
        step = pd.Timedelta(8, unit="h") if "funding" in file.name else pd.Timedelta(timeframe)
        assert (frame["date"].diff().dropna() == step).all(), file.name
        assert frame["date"].iloc[0] == pd.Timestamp("2023-01-01", tz="UTC")
        assert frame["date"].iloc[-1] + step == pd.Timestamp("2025-01-01", tz="UTC")
        assert str(frame["date"].dtype) == "datetime64[ms, UTC]"
        if "volume" in frame:
            assert (frame["volume"] == 0).all() if "-mark" in file.name else (frame["volume"] > 0).all()
            assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all(), file.name
            assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all(), file.name
            assert (frame["low"] > 0).all(), file.name


@pytest.mark.parametrize("coin", COINS)
def test_prices_are_multiples_of_the_tick(short_market: Path, coin: str) -> None:
    model = COIN_MODELS[coin]
    for name, tick in (
        (f"{coin}_USDT-5m.feather", model.spot_tick),
        (f"futures/{coin}_USDT_USDT-5m-futures.feather", model.perp_tick),
    ):
        prices = pd.read_feather(short_market / name)[["open", "high", "low", "close"]].to_numpy()
        ticks = prices / tick
        assert np.abs(ticks - np.round(ticks)).max() < 1e-6


@pytest.mark.parametrize("stem", ["{0}_USDT-{1}", "futures/{0}_USDT_USDT-{1}-futures"])
@pytest.mark.parametrize("timeframe", ["15m", "1h"])
def test_coarser_timeframes_are_the_5m_candles_resampled(
    short_market: Path, stem: str, timeframe: str
) -> None:
    fine = pd.read_feather(short_market / f"{stem.format('ETH', '5m')}.feather").set_index("date")
    coarse = pd.read_feather(short_market / f"{stem.format('ETH', timeframe)}.feather").set_index("date")
    rule = timeframe.replace("m", "min")
    again = fine.resample(rule).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    prices = ["open", "high", "low", "close"]
    pd.testing.assert_frame_equal(again[prices], coarse[prices], check_freq=False, check_exact=True)
    np.testing.assert_allclose(again["volume"], coarse["volume"], rtol=1e-12)


@pytest.mark.parametrize("coin", COINS)
def test_funding_equals_binance_formula_recomputed_by_hand(short_market: Path, coin: str) -> None:
    stored = pd.read_feather(short_market / f"futures/{coin}_USDT_USDT-1h-funding_rate.feather")
    premiums = sample_path(coin, seed=7, start=START, end=END).premium_bps / 1e4
    cap = {"BTC": 0.003, "ETH": 0.00375, "SOL": 0.02}[coin]
    assert len(stored) == 18
    for number, rate in enumerate(stored["funding_rate"]):
        end = BURN_IN_STEPS + number * 96
        weighted = total = 0.0
        for weight, premium in enumerate(premiums[end - 96 : end], start=1):
            weighted += weight * float(premium)
            total += weight
        average = weighted / total
        clamped = max(-0.0005, min(0.0005, 0.0001 - average))
        assert rate == pytest.approx(max(-cap, min(cap, average + clamped)), abs=5.1e-9)


def test_first_settlement_is_the_first_full_8_hours_after_an_odd_start(tmp_path: Path) -> None:
    start = datetime(2024, 1, 1, 3, tzinfo=UTC)
    write_sample_market(tmp_path, start=start, end=start + timedelta(hours=20), coins=("BTC",))
    funding = pd.read_feather(tmp_path / "futures" / "BTC_USDT_USDT-1h-funding_rate.feather")
    assert [stamp.hour for stamp in funding["date"]] == [8, 16]


def test_same_seed_writes_the_same_bytes(short_market: Path, tmp_path: Path) -> None:
    again = write_sample_market(tmp_path, start=START, end=END)
    first = [short_market / file.relative_to(tmp_path) for file in again]
    assert len(again) == 25
    assert digests(again) == digests(first)


def test_another_seed_changes_every_data_file(short_market: Path, tmp_path: Path) -> None:
    other = write_sample_market(tmp_path, seed=8, start=START, end=END)
    first = [short_market / file.relative_to(tmp_path) for file in other]
    assert not set(digests(other)) & set(digests(first))


def test_a_coin_does_not_depend_on_the_others_asked_for(short_market: Path, tmp_path: Path) -> None:
    alone = write_sample_market(tmp_path, start=START, end=END, coins=("SOL",))
    data = [file for file in alone if file.suffix == ".feather"]
    assert len(data) == 8
    assert digests(data) == digests([short_market / file.relative_to(tmp_path) for file in data])


def test_marker_says_that_nothing_in_it_is_real(short_market: Path) -> None:
    marker = json.loads((short_market / SAMPLE_MARKER).read_text())
    assert marker == {
        "sample": True,
        "note": "sample market, not real",
        "seed": 7,
        "start": "2024-01-01T00:00:00+00:00",
        "end": "2024-01-07T00:00:00+00:00",
        "coins": ["BTC", "ETH", "SOL"],
        "version": 1,
    }
    assert is_sample_market(short_market)


def test_progress_ends_at_one_and_names_each_coin(tmp_path: Path) -> None:
    calls: list[tuple[str, float]] = []
    write_sample_market(
        tmp_path, start=START, end=END, progress=lambda what, share: calls.append((what, share))
    )
    assert [what for what, _ in calls] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert calls[-1][1] == 1.0


def test_interrupted_run_leaves_no_file_behind(tmp_path: Path) -> None:
    def interrupt(_what: str, share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample_market(tmp_path, start=START, end=END, progress=interrupt)
    assert [entry for entry in tmp_path.glob("**/*") if entry.is_file()] == []
    assert list(tmp_path.glob(".sample-*")) == []


def test_real_data_is_never_overwritten(tmp_path: Path) -> None:
    recorded = tmp_path / "BTC_USDT-1h.feather"
    recorded.write_bytes(b"recorded")
    with pytest.raises(UsageError, match="not a sample"):
        write_sample_market(tmp_path, start=START, end=END)
    assert recorded.read_bytes() == b"recorded"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"coins": ("DOGE",)}, "no sample model"),
        ({"coins": ()}, "no coins"),
        ({"seed": -1}, "negative"),
        ({"end": START}, "not after"),
        ({"start": START + timedelta(minutes=5)}, "full hour"),
        ({"start": datetime(2024, 1, 1)}, "not in UTC"),  # noqa: DTZ001 - that is the case
    ],
)
def test_unusable_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, object], reason: str
) -> None:
    wanted: dict[str, object] = {"start": START, "end": END, **arguments}
    with pytest.raises(UsageError, match=reason):
        write_sample_market(tmp_path / "data", **wanted)  # type: ignore[arg-type]
    assert not (tmp_path / "data").exists()


def test_summary_names_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"BTC_USDT-1h\.feather is missing"):
        describe(tmp_path)
