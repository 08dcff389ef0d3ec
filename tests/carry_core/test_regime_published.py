"""`carry features --definition published` equals the oracle of the paper's definitions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from carry.__main__ import app
from carry.regime import CYCLE_COLUMNS
from carry.regime_causal import causal_cycles
from tests.carry_data.markets import PAIR, holed_market, market

COINS = ("BTC", "ETH")


def features(*words: str | Path) -> tuple[int, str]:
    """Run `carry features` and return its exit status and what it raised, if anything."""
    done = CliRunner().invoke(app, ["features", *map(str, words)])
    status = getattr(done.exception, "exit_status", done.exit_code)
    return status, str(done.exception or "")


@pytest.fixture(scope="module", params=COINS)
def written(request: pytest.FixtureRequest, recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the command on a recorded market and return the folder of its files."""
    folder = tmp_path_factory.mktemp(request.param)
    words = ("--datadir", recorded / "binance_1h", "--pair", f"{request.param}/USDT:USDT")
    for suffix in ("csv", "feather"):
        files = ("--out", folder / f"cycles.{suffix}", "--json", folder / "totals.json")
        assert features("--definition", "published", "--timeframe", "1h", *words, *files) == (0, "")
    return folder


def oracle_of(folder: Path, recorded: Path) -> tuple[pd.DataFrame, dict[str, object]]:
    coin = next(coin for coin in COINS if folder.name.startswith(coin))
    table = pd.read_csv(recorded / f"oracles/regime_cycles_{coin}_2020_2024.csv")
    summary = json.loads((recorded / "oracles/regime_summary_2020_2024.json").read_text())
    return table, summary[coin]


def test_every_value_and_regime_of_the_oracle_is_reproduced(written: Path, recorded: Path) -> None:
    oracle, _ = oracle_of(written, recorded)
    found = pd.read_csv(written / "cycles.csv")
    assert list(found.columns) == list(oracle.columns)
    for name in oracle.columns:
        if name in {"start_time", "regime"}:
            assert found[name].fillna("").equals(oracle[name].fillna("")), name
        else:
            np.testing.assert_allclose(found[name], oracle[name], rtol=1e-9, atol=0, err_msg=name)
    feather = pd.read_feather(written / "cycles.feather")
    assert list(feather.columns) == list(CYCLE_COLUMNS)
    np.testing.assert_array_equal(feather["raw_kappa"], found["raw_kappa"])


def test_the_totals_equal_the_published_summary_to_its_printed_digits(written: Path, recorded: Path) -> None:
    _, summary = oracle_of(written, recorded)
    found = json.loads((written / "totals.json").read_text())

    def check(expected: object, got: object, path: str) -> None:
        if isinstance(expected, dict):
            assert isinstance(got, dict), path
            for key, value in expected.items():
                check(value, got[key], f"{path}.{key}")
        elif isinstance(expected, float):
            digits = len(str(expected).partition(".")[2])
            assert round(float(str(got)), min(digits, 10)) == round(expected, min(digits, 10)), path
        else:
            assert got == expected, path

    check({key: value for key, value in summary.items() if key != "range"}, found, written.name)


def test_causal_cycles_are_written_inside_the_timerange_with_the_history_before_it(tmp_path: Path) -> None:
    frames = holed_market(3, "1h", [(8, 500), (4, 300)], 0.01)
    frames.write(tmp_path)
    out = tmp_path / "causal.feather"
    span = f"{frames.perp['date'].iloc[4000]:%Y%m%d}-{frames.perp['date'].iloc[4800]:%Y%m%d}"
    words = ("--definition", "causal", "--datadir", tmp_path, "--pair", PAIR, "--timerange", span)
    assert features(*words, "--out", out, "--json", tmp_path / "causal.json") == (0, "")
    whole = causal_cycles(frames.perp, frames.spot, frames.funding, "1h")
    found = pd.read_feather(out)
    expected = whole[whole["start_time"].isin(found["start_time"])].loc[:, list(CYCLE_COLUMNS)]
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), check_dtype=False)
    assert (found["regime"] != "").any()
    about = json.loads((tmp_path / "causal.json").read_text())
    assert about["cycles"] == len(found) > 90


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--definition", "published"), 3, "settlements are too few"),
        (("--definition", "causal", "--timerange", "20300101-"), 3, "give another --timerange"),
        (("--definition", "causal", "--timerange", "2030"), 2, "YYYYMMDD-YYYYMMDD"),
        (("--definition", "causal", "--out", "x.xlsx"), 2, "neither .csv nor .feather"),
        (("--definition", "causal", "--out", "missing/x.csv"), 2, "cannot be written"),
        (("--definition", "causal", "--timeframe", "1d"), 3, "is missing"),
        (("--definition", "regimes"), 2, ""),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    market(hours=240).write(tmp_path)
    got, line = features("--datadir", tmp_path, "--pair", PAIR, *words)
    assert got == status
    assert said in line
    assert "\n" not in line
