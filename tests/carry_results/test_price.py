"""`carry price`: agreement with an independent engine's log, its modes, and its refusals."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carry.errors import UsageError
from carry.price import COMPUTED_COLUMNS, FeeBase, HedgeMode, PriceTerms, price_trades, read_trade_log

from .test_report_cli import failure, run

DATA = Path(os.environ.get("CARRY_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
ORACLE = DATA / "oracles" / "carry_trade_log_2021_2024.csv"
ROW = {
    "entry_timestamp": "2021-01-11 01:00:00+00:00",
    "exit_timestamp": "2021-01-11 09:00:00+00:00",
    "perp_entry_price_raw": "101.0",
    "perp_exit_price_raw": "110.5",
    "spot_entry_price_raw": "100.0",
    "spot_exit_price_raw": "110.0",
    "funding_rate_sum": "0.0003",
}
ORACLE_FLAGS = [
    *("--hedge-mode", "equal_notional", "--fee-base", "entry_notional", "--taker-bps", "5"),
    *("--slippage-bps", "3", "--fixed-cost", "2", "--notional", "10000"),
]


def write_log(path: Path, *rows: dict[str, str]) -> Path:
    pd.DataFrame(list(rows or [ROW])).to_csv(path, index=False)
    return path


@pytest.mark.skipif(not ORACLE.is_file(), reason=f"{ORACLE} is absent (set CARRY_DATA)")
def test_every_column_of_the_independent_log_is_reproduced(tmp_path: Path) -> None:
    log = pd.read_csv(ORACLE)
    bare = log.drop(columns=[name for name in COMPUTED_COLUMNS if name in log.columns])
    bare.to_csv(tmp_path / "bare.csv", index=False)
    for source in (ORACLE, tmp_path / "bare.csv"):
        answer = run("price", source, *ORACLE_FLAGS, "--out", tmp_path / "out.csv")
        assert answer.exit_code == 0, answer.output
        priced = pd.read_csv(tmp_path / "out.csv")
        assert len(priced) == 1530
        assert set(priced.columns) == set(log.columns)
        for name in COMPUTED_COLUMNS:
            assert np.abs(priced[name] - log[name]).max() < 1e-6, name


def test_equal_quantity_hedges_base_for_base_and_fees_follow_each_fill(tmp_path: Path) -> None:
    terms = PriceTerms(taker_bps=10.0, slippage_bps=0.0, fixed_cost=1.0, notional=1010.0)
    row = price_trades(read_trade_log(write_log(tmp_path / "t.csv")), terms).iloc[0]
    assert row["perp_quantity"] == row["spot_quantity"] == pytest.approx(10.0)
    assert row["perp_leg_pnl_usd"] == pytest.approx(-95.0)
    assert row["spot_leg_pnl_usd"] == pytest.approx(100.0)
    assert row["trading_fees_usd"] == pytest.approx(1e-3 * 10.0 * (101.0 + 110.5 + 100.0 + 110.0))
    assert row["net_pnl_usd"] == pytest.approx(-95.0 + 100.0 + 0.303 - 4.215 - 1.0)
    assert row["net_return_bps"] == pytest.approx(row["net_pnl_usd"] / 1010.0 * 1e4)


@given(
    mode=st.sampled_from(HedgeMode),
    base=st.sampled_from(FeeBase),
    bps=st.tuples(st.floats(0, 50), st.floats(0, 50)),
    px=st.lists(st.floats(1.0, 1e5), min_size=4, max_size=4),
)
def test_net_is_the_sum_of_its_parts_and_costs_never_help(
    mode: HedgeMode, base: FeeBase, bps: tuple[float, float], px: list[float]
) -> None:
    names = ["perp_entry_price_raw", "perp_exit_price_raw", "spot_entry_price_raw", "spot_exit_price_raw"]
    log = pd.DataFrame(
        {**dict(zip(names, [[value] for value in px], strict=True)), "funding_rate_sum": [1e-4]}
    )
    row = price_trades(log, PriceTerms(mode, base, *bps, 1.0)).iloc[0]
    free = price_trades(log, PriceTerms(mode, base, 0.0, 0.0, 0.0)).iloc[0]
    parts = row["perp_leg_pnl_usd"] + row["spot_leg_pnl_usd"] + row["funding_pnl_usd"]
    assert row["net_pnl_usd"] == pytest.approx(parts - row["trading_fees_usd"] - row["gas_cost_usd"])
    if base is FeeBase.FILL and bps[1] == 0.0:
        assert row["net_pnl_usd"] < free["net_pnl_usd"]


def test_summary_is_written_as_json_per_strategy_and_for_all(tmp_path: Path) -> None:
    log = write_log(tmp_path / "t.csv", {**ROW, "strategy_name": "a"}, {**ROW, "strategy_name": "b"})
    answer = run("price", log, "--json", tmp_path / "s.json")
    assert answer.exit_code == 0, answer.output
    rows = json.loads((tmp_path / "s.json").read_text())["summary"]
    assert [(row["strategy_name"], row["trades"]) for row in rows] == [("a", 1), ("b", 1), ("all", 2)]
    assert rows[2]["net_pnl_usd"] == pytest.approx(rows[0]["net_pnl_usd"] + rows[1]["net_pnl_usd"])


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("perp_entry_price_raw", "-3", ("line 3", "perp_entry_price_raw", "above 0")),
        ("spot_exit_price_raw", "0", ("line 3", "spot_exit_price_raw", "above 0")),
        ("spot_exit_price_raw", "abc", ("line 3", "spot_exit_price_raw", "not a number")),
        ("spot_exit_price_raw", "", ("line 3", "spot_exit_price_raw", "not a number")),
        ("perp_exit_price_raw", "inf", ("line 3", "perp_exit_price_raw", "not a number")),
        ("funding_rate_sum", "nan", ("line 3", "funding_rate_sum", "not a number")),
        ("exit_timestamp", "soon", ("line 3", "exit_timestamp", "time")),
        ("exit_timestamp", "2020-01-01", ("line 3", "exit_timestamp", "before")),
    ],
)
def test_bad_cell_is_named_by_line_and_column(
    tmp_path: Path, column: str, value: str, words: tuple[str, ...]
) -> None:
    error = failure("price", write_log(tmp_path / "t.csv", ROW, {**ROW, column: value}))
    assert isinstance(error, UsageError)
    assert all(word in str(error) for word in words), str(error)


@pytest.mark.parametrize("column", list(ROW))
def test_missing_column_is_named(tmp_path: Path, column: str) -> None:
    log = write_log(tmp_path / "t.csv", {name: value for name, value in ROW.items() if name != column})
    assert column in str(failure("price", log))


@pytest.mark.parametrize(
    "raw", [b"", b"\n", ",".join(ROW).encode() + b"\n", b"\xff\xfe\x00", b'a,b\n"1,2\n3']
)
def test_empty_or_broken_file_is_one_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(raw)
    assert isinstance(failure("price", tmp_path / "t.csv"), UsageError)


@pytest.mark.parametrize(
    "flags", [("--taker-bps", "-1"), ("--notional", "0"), ("--fixed-cost", "-1"), ("--slippage-bps", "10000")]
)
def test_terms_that_cannot_be_are_refused(tmp_path: Path, flags: tuple[str, str]) -> None:
    assert flags[0] in str(failure("price", write_log(tmp_path / "t.csv"), *flags))


def test_missing_log_is_one_line(tmp_path: Path) -> None:
    assert "nowhere.csv" in str(failure("price", tmp_path / "nowhere.csv"))
