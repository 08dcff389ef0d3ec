"""The data commands through the front door: exit status, one-line errors, files written."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from carry.__main__ import main
from carry.download import Order, download_commands
from carry.errors import DataError, UsageError
from carry.features import FEATURE_COLUMNS, carry_features
from carry.findings import SAMPLE_MARKER
from carry.timerange import parse_timerange
from tests.carry_data.defects import without
from tests.carry_data.markets import PAIR, market

CLI = "carry"


class Cli:
    """Runs `carry` in this process and keeps what it said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd
        self.out = self.err = ""

    def __call__(self, *words: object) -> int:
        """Return the exit status."""
        self._monkeypatch.setattr(sys, "argv", [CLI, *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
            sys.exit(0)
        self.out, self.err = self._capfd.readouterr()
        return int(left.value.code or 0)


@pytest.fixture
def carry(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capfd)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return market().write(tmp_path / "data")


def words_of(order: Order) -> list[str]:
    return [" ".join(command[command.index("download-data") :]) for command in download_commands(order)]


def order(datadir: Path, **changes: object) -> Order:
    plain = Order((PAIR, "ETH/USDT:USDT"), ("1h", "5m"), parse_timerange("20240301-20240311"), datadir)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_check_data_of_a_whole_market_is_0_and_lists_every_series(carry: Cli, whole: Path) -> None:
    target = whole / "report.json"
    assert carry("check-data", "--datadir", whole, "--timerange", "20240301-20240311", "--json", target) == 0
    for word in (PAIR, "futures", "spot", "mark", "funding_rate", "100.000 %"):
        assert word in carry.out
    report = json.loads(target.read_text())
    assert report["sample"] is False
    assert [line["rows"] for line in report["pairs"][0]["series"]] == [240, 240, 240, 30]
    assert report["pairs"][0]["findings"] == []


def test_check_data_is_3_on_errors_and_0_on_warnings(carry: Cli, tmp_path: Path) -> None:
    plain = market()
    broken = replace(plain, mark=without(plain.mark, 8, 8)).write(tmp_path / "broken")
    warned = replace(plain, spot=without(plain.spot, 8, 8)).write(tmp_path / "warned")
    target = tmp_path / "report.json"
    assert carry("check-data", "--datadir", broken, "--json", target) == 3
    assert "error: BTC/USDT:USDT mark: no mark candle at 1 of 30 settlements" in carry.out
    assert json.loads(target.read_text())["pairs"][0]["findings"][0]["code"] == "mark_missing"
    assert carry("check-data", "--datadir", warned) == 0
    assert "warning: BTC/USDT:USDT spot: outage" in carry.out


def test_check_data_takes_several_pairs_after_one_option(carry: Cli, whole: Path) -> None:
    words = ["--pairs", PAIR, "ETH/USDT:USDT", "--pairs", "SOL/USDT:USDT", "--timeframe", "1h"]
    assert carry("check-data", "--datadir", whole, *words) == 3
    for coin in ("ETH", "SOL"):
        assert f"error: {coin}/USDT:USDT futures: nothing from" in carry.out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--timerange", "2024"], 2),
        (["--timeframe", "1x"], 2),
        (["--json", "/nonexistent/report.json"], 2),
        (["--datadir", "/nonexistent"], 3),
    ],
)
def test_check_data_mistakes_are_one_line(carry: Cli, whole: Path, words: list[str], status: int) -> None:
    assert carry("check-data", "--datadir", whole, *words) == status
    assert carry.err.startswith("carry: ")
    assert carry.err.count("\n") == 1


@pytest.mark.parametrize("suffix", ["csv", "feather"])
def test_features_writes_all_rows_and_prints_the_last(carry: Cli, whole: Path, suffix: str) -> None:
    out, target = whole / f"features.{suffix}", whole / "features.json"
    words = ["--datadir", whole, "--pair", PAIR, "--out", out, "--json", target, "--tail", "2"]
    assert carry("features", *words) == 0
    written = pd.read_csv(out) if suffix == "csv" else pd.read_feather(out)
    plain = market()
    expected = carry_features(plain.perp, plain.spot, plain.funding, "1h")
    pd.testing.assert_frame_equal(written[list(FEATURE_COLUMNS)], expected)
    rows = json.loads(target.read_text())["rows"]
    assert [row["date"][:16] for row in rows] == ["2024-03-10T22:00", "2024-03-10T23:00"]
    assert rows[1]["spread_bps"] == pytest.approx(expected["spread_bps"].iloc[-1])
    assert "spread_zscore_72h" in carry.out


def test_features_refuses_other_formats_and_missing_files(carry: Cli, whole: Path) -> None:
    assert carry("features", "--datadir", whole, "--pair", PAIR, "--out", "x.xlsx") == 2
    assert carry("features", "--datadir", whole, "--pair", "ETH/USDT:USDT") == 3
    assert carry.err.count("\n") == 1


def test_sample_data_is_written_once_and_again_only_by_force(carry: Cli, tmp_path: Path) -> None:
    datadir = tmp_path / "sample"
    assert carry("sample-data", "--datadir", datadir, "--seed", 3) == 0
    spot = datadir / "BTC_USDT-1h.feather"
    written = spot.stat().st_mtime_ns
    assert carry("sample-data", "--datadir", datadir, "--seed", 3) == 0
    assert "already holds" in carry.out
    assert spot.stat().st_mtime_ns == written
    spot.unlink()  # as after an interrupted run
    assert carry("sample-data", "--datadir", datadir, "--seed", 3) == 0
    assert spot.is_file()
    assert carry("sample-data", "--datadir", datadir, "--seed", 3, "--force") == 0
    assert "already holds" not in carry.out
    assert carry("check-data", "--datadir", datadir) == 0
    assert "sample market, not real" in " ".join(carry.out.split())  # a long path wraps the title
    assert carry("download", "--pairs", PAIR, "--timerange", "20240101-", "--datadir", datadir) == 2


def test_sample_data_never_touches_real_candles(carry: Cli, whole: Path) -> None:
    assert carry("sample-data", "--datadir", whole, "--force") == 2
    assert carry.err.count("\n") == 1
    assert not (whole / SAMPLE_MARKER).exists()


def test_damaged_sample_marker_is_written_anew(carry: Cli, tmp_path: Path) -> None:
    (tmp_path / SAMPLE_MARKER).write_text("{")
    assert carry("sample-data", "--datadir", tmp_path) == 0
    assert json.loads((tmp_path / SAMPLE_MARKER).read_text())["seed"] == 7


def test_download_asks_freqtrade_for_both_markets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert words_of(order(tmp_path)) == [
        f"download-data --trading-mode futures --exchange binance --userdir {tmp_path} --datadir {tmp_path}"
        " --data-format-ohlcv feather --timerange 20240301-20240311 --timeframes 1h 5m"
        " --pairs BTC/USDT:USDT ETH/USDT:USDT",
        f"download-data --trading-mode spot --exchange binance --userdir {tmp_path} --datadir {tmp_path}"
        " --data-format-ohlcv feather --timerange 20240301-20240311 --timeframes 1h 5m"
        " --pairs BTC/USDT ETH/USDT",
    ]
    assert all(
        command[:3] == [sys.executable, "-m", "freqtrade"] for command in download_commands(order(tmp_path))
    )


def test_download_leaves_the_exchange_to_the_config(tmp_path: Path) -> None:
    configs = (Path("a.json"), Path("b.json"))
    for words in words_of(order(tmp_path, configs=configs)):
        assert "-c a.json -c b.json" in words
        assert "--exchange" not in words
    for words in words_of(order(tmp_path, configs=configs, exchange="okx")):
        assert "--exchange okx" in words


def test_download_prepends_where_the_files_start_late(tmp_path: Path) -> None:
    plain = market()
    late = replace(plain, spot=without(plain.spot, 0, 40))
    futures, prepend, spot = words_of(order(late.write(tmp_path)))
    assert "--prepend" not in futures + spot
    assert prepend.endswith("--pairs BTC/USDT --prepend")
    early = order(tmp_path, timerange=parse_timerange("20240201-20240311"))
    assert ["--prepend" in words for words in words_of(early)] == [True, False, True, False]
    assert ["--erase" in words for words in words_of(replace(early, erase=True))] == [True, True]


@pytest.mark.parametrize("series", ["perp", "mark", "funding"])
def test_download_prepends_futures_where_any_of_their_files_starts_late(tmp_path: Path, series: str) -> None:
    plain = market()
    late: dict[str, Any] = {series: without(getattr(plain, series), 0, 20)}
    replace(plain, **late).write(tmp_path)
    prepend, futures, spot = words_of(order(tmp_path))
    assert prepend.startswith("download-data --trading-mode futures")
    assert prepend.endswith("--pairs BTC/USDT:USDT --prepend")
    assert "--prepend" not in futures + spot


def test_download_of_a_damaged_file_says_how_to_go_on(whole: Path) -> None:
    (whole / "BTC_USDT-1h.feather").write_bytes(b"damaged")
    with pytest.raises(DataError, match="--erase"):
        words_of(order(whole))
    assert len(words_of(order(whole, erase=True))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"pairs": ()},
        {"pairs": ("BTC/USDT",)},
        {"timeframes": ()},
        {"timeframes": ("1x",)},
        {"timerange": parse_timerange("-20240101")},
    ],
)
def test_download_refuses_what_freqtrade_would_skip(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        order(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_failing_freqtrade_is_one_line_and_3(carry: Cli, tmp_path: Path) -> None:
    words = ["--pairs", PAIR, "--timerange", "20240301-20240311", "--timeframes", "1h"]
    assert carry("download", *words, "--datadir", tmp_path, "-c", tmp_path / "absent.json") == 3
    assert "-m freqtrade download-data --trading-mode futures" in carry.out
    assert carry.err.splitlines()[-1].startswith(
        "carry: freqtrade download-data (futures) ended with exit status"
    )


@pytest.mark.parametrize("spot_hours", [240, 100])
def test_download_ends_with_the_coverage_check(
    carry: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spot_hours: int
) -> None:
    plain = market()
    stored = replace(plain, spot=plain.spot.iloc[:spot_hours]).write(tmp_path)
    # stands for freqtrade, which ends with 0 whether it fetched anything or not
    monkeypatch.setattr("carry.download.download_commands", lambda _: [[sys.executable, "-c", "pass"]])
    words = ["--pairs", PAIR, "--timerange", "20240301-20240311", "--timeframes", "1h", "--datadir", stored]
    assert carry("download", *words) == (0 if spot_hours == 240 else 3)
    assert ("the download is not complete: BTC/USDT:USDT spot" in carry.err) is (spot_hours == 100)
    assert "running: " in carry.out


def test_help_of_each_command_has_an_example(carry: Cli) -> None:
    for command in ("sample-data", "check-data", "features", "download"):
        assert carry(command, "--help") == 0
        assert f"Example: carry {command}" in " ".join(carry.out.split())
