"""freqtrade's exported backtest, read without freqtrade: a zip (or plain JSON) of strategies and trades.

freqtrade 2026.9 writes `backtest-result-<date>.zip` holding `<stem>.json` (strategies and trades) and
`<stem>_config.json` (the configuration as written, with our `hedge_leg` block); `.last_result.json` names the
newest. Sources: optimize/optimize_reports/bt_storage.py, persistence/trade_model.py (`to_json`).
A path that is not there is a UsageError; a file that is not such an export is a DataError.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from carry.costs import CostModel, Liquidity
from carry.errors import DataError, UsageError
from carry.ledger import DEFAULT_SPOT_LOT, OFF_OPEN_TAGS, Fills, decimal_qty
from carry.tape import Floats

Json: TypeAlias = Mapping[str, Any]
LAST_RESULT_FILE = ".last_result.json"
_MS_TO_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class ExportedTrade:
    """One closed trade of freqtrade. `profit_abs` is freqtrade's own figure, quote currency."""

    pair: str
    open_ns: int
    close_ns: int
    fills: Fills
    profit_abs: float
    is_short: bool
    leverage: float
    exit_reason: str
    enter_tag: str


@dataclass(frozen=True, slots=True)
class ExportedStrategy:
    """One strategy's backtest; `begin_ns`..`end_ns` are the opens of its first and last candle."""

    name: str
    timeframe: str
    timeframe_detail: str
    starting_balance: float
    stake_currency: str
    begin_ns: int
    end_ns: int
    trades: tuple[ExportedTrade, ...]

    @property
    def finest_timeframe(self) -> str:
        """Return the timeframe that fills happened in."""
        return self.timeframe_detail or self.timeframe


@dataclass(frozen=True, slots=True)
class BacktestExport:
    """An export: its strategies and the hedge configuration of the run.

    `spot_lots` maps a base coin to its spot lot. `configured` is False when the export has no `hedge_leg`
    block, so that default costs are used.
    """

    path: Path
    strategies: tuple[ExportedStrategy, ...]
    costs: CostModel
    spot_lots: Mapping[str, float]
    leverage: float | None
    configured: bool

    def spot_lot(self, pair: str) -> float:
        """Return the spot lot of a pair's base coin, 1e-8 where none is configured."""
        return self.spot_lots.get(pair.split("/", maxsplit=1)[0], DEFAULT_SPOT_LOT)


def read_export(result: Path) -> BacktestExport:
    """Read an export given as freqtrade's results directory, a .zip or a .json.

    Raises UsageError when `result` is not there or its `hedge_leg` block is invalid, DataError when the
    file is damaged or not an export.
    """
    path = _resolve(result)
    stats, config = _read_zip(path) if path.suffix == ".zip" else _read_json_pair(path)
    strategies = stats.get("strategy")
    if not isinstance(strategies, dict) or not strategies:
        raise DataError(f"{path} holds no strategy: it is not a backtest export of freqtrade")
    block = config.get("hedge_leg")
    hedge: Json = block if isinstance(block, dict) else {}
    try:
        parsed = tuple(_parse_strategy(name, entry) for name, entry in strategies.items())
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} is not a backtest export that can be read: {_reason(error)}") from error
    leverage = hedge.get("leverage")
    return BacktestExport(
        path=path,
        strategies=parsed,
        costs=parse_costs(hedge.get("costs") or {}, path),
        spot_lots=_parse_lots(hedge.get("spot_lots") or {}, path),
        leverage=float(leverage) if isinstance(leverage, int | float) else None,
        configured=bool(hedge),
    )


def read_statistics(result: Path) -> Mapping[str, Json]:
    """Return freqtrade's own statistics by strategy, trades and all; errors as `read_export`."""
    path = _resolve(result)
    stats, _ = _read_zip(path) if path.suffix == ".zip" else _read_json_pair(path)
    strategies = stats.get("strategy")
    if not isinstance(strategies, dict) or not strategies:
        raise DataError(f"{path} holds no strategy: it is not a backtest export of freqtrade")
    return strategies


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    return f"field {text} is missing" if isinstance(error, KeyError) else text


def _resolve(result: Path) -> Path:
    """Return the export file that `result` stands for."""
    if not result.exists():
        raise UsageError(
            f"{result} does not exist: give freqtrade's backtest_results directory, a .zip or a .json"
        )
    if not result.is_dir():
        return result
    pointer = result / LAST_RESULT_FILE
    if not pointer.is_file():
        raise UsageError(f"{result} holds no {LAST_RESULT_FILE}: run a backtest with --export trades first")
    latest = _parse_json(pointer, pointer.read_bytes()).get("latest_backtest")
    if not isinstance(latest, str) or not latest:
        raise DataError(f"{pointer} names no latest_backtest: run the backtest again")
    path = result / Path(latest).name
    if not path.is_file():
        raise DataError(f"{path}, named by {LAST_RESULT_FILE}, is missing: run the backtest again")
    return path


def _parse_json(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: export the backtest again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a backtest export of freqtrade: its top level is not an object")
    return content


def _read_zip(path: Path) -> tuple[Json, Json]:
    """Return (statistics, configuration) of a zipped export."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            stats_name, config_name = f"{path.stem}.json", f"{path.stem}_config.json"
            if stats_name not in names:  # a renamed zip keeps its inner names
                configs = [name for name in names if name.endswith("_config.json")]
                config_name = configs[0] if configs else config_name
                stats_name = config_name.replace("_config.json", ".json")
            if stats_name not in names:
                raise DataError(f"{path} holds no {stats_name}: it is not a backtest export of freqtrade")
            stats = _parse_json(path, archive.read(stats_name))
            config = _parse_json(path, archive.read(config_name)) if config_name in names else {}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is not a readable zip file: export the backtest again") from error
    return stats, config


def _read_json_pair(path: Path) -> tuple[Json, Json]:
    """Return (statistics, configuration) of an unpacked export; the configuration may be absent."""
    beside = path.with_name(f"{path.stem}_config.json")
    try:
        stats = _parse_json(path, path.read_bytes())
        config = _parse_json(beside, beside.read_bytes()) if beside.is_file() else {}
    except OSError as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__})") from error
    return stats, config


def parse_costs(block: object, path: Path) -> CostModel:
    """Build the cost model from the `hedge_leg.costs` block; UsageError names an unknown or bad field."""
    if not isinstance(block, dict):
        raise UsageError(f"hedge_leg.costs in {path} is not an object")
    known = {field.name: field for field in fields(CostModel)}
    values: dict[str, Any] = {}
    for name, value in block.items():
        if name not in known:
            raise UsageError(f"hedge_leg.costs.{name} in {path} is not known: give one of {', '.join(known)}")
        try:
            values[name] = Liquidity(value) if name.endswith("_liquidity") else float(value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"hedge_leg.costs.{name} in {path} is {value!r}: not a valid value") from error
    return CostModel(**values)


def _parse_lots(block: object, path: Path) -> dict[str, float]:
    if not isinstance(block, dict):
        raise UsageError(f"hedge_leg.spot_lots in {path} is not an object")
    lots: dict[str, float] = {}
    for coin, lot in block.items():
        try:
            lots[str(coin)] = float(lot)
        except (TypeError, ValueError) as error:
            raise UsageError(f"hedge_leg.spot_lots.{coin} in {path} is {lot!r}: give a number") from error
        if not 0.0 < lots[str(coin)] < float("inf"):
            raise UsageError(f"hedge_leg.spot_lots.{coin} in {path} is {lot!r}: give a number > 0")
    return lots


def _parse_strategy(name: str, entry: Json) -> ExportedStrategy:
    balance = float(entry["starting_balance"])
    if not 0.0 < balance < float("inf"):
        raise ValueError(f"starting_balance of {name} is {balance}")
    return ExportedStrategy(
        name=str(name),
        timeframe=str(entry["timeframe"]),
        timeframe_detail=str(entry.get("timeframe_detail") or ""),
        starting_balance=balance,
        stake_currency=str(entry.get("stake_currency") or ""),
        begin_ns=int(entry["backtest_start_ts"]) * _MS_TO_NS,
        end_ns=int(entry["backtest_end_ts"]) * _MS_TO_NS,
        trades=tuple(_parse_trade(trade) for trade in entry["trades"]),
    )


def _parse_trade(trade: Json) -> ExportedTrade:
    """Read one trade; ValueError when it holds no fills or is not flat at its end."""
    fills = _parse_fills(trade)
    pair = str(trade["pair"])
    where = f"trade of {pair} opened at {trade['open_timestamp']} ms"
    if fills.qty.size == 0:
        raise ValueError(f"{where} has no filled order")
    if sum(decimal_qty(qty) for qty in fills.qty.tolist()) != 0:
        raise ValueError(f"{where} is not closed: its orders do not sum to zero")
    profit_abs = float(trade["profit_abs"])
    if not np.isfinite(profit_abs):
        raise ValueError(f"{where} has no profit_abs")
    return ExportedTrade(
        pair=pair,
        open_ns=int(trade["open_timestamp"]) * _MS_TO_NS,
        close_ns=int(trade["close_timestamp"]) * _MS_TO_NS,
        fills=fills,
        profit_abs=profit_abs,
        is_short=bool(trade["is_short"]),
        leverage=float(trade.get("leverage") or 1.0),
        exit_reason=str(trade.get("exit_reason") or ""),
        enter_tag=str(trade.get("enter_tag") or ""),
    )


def _parse_fills(trade: Json) -> Fills:
    """Return the filled orders of a trade, ascending in time; orders that never filled are left out."""
    filled = [order for order in trade["orders"] if order.get("order_filled_timestamp")]
    filled.sort(key=lambda order: int(order["order_filled_timestamp"]))
    fee_open, fee_close = float(trade["fee_open"]), float(trade["fee_close"])
    sign = -1.0 if trade["is_short"] else 1.0

    def column(values: list[float], label: str, low: float) -> Floats:
        array = np.array(values, dtype=np.float64)
        if not (np.isfinite(array) & (array > low)).all():
            raise ValueError(f"an order of {trade['pair']} has a {label} that is not a number above {low:g}")
        return array

    amount = column([float(order["amount"]) for order in filled], "amount", 0.0)
    entry = np.array([bool(order["ft_is_entry"]) for order in filled], dtype=np.bool_)
    return Fills(
        at_ns=np.array([int(order["order_filled_timestamp"]) for order in filled], dtype=np.int64)
        * _MS_TO_NS,
        qty=np.where(entry, sign, -sign) * amount,
        px=column([float(order["safe_price"]) for order in filled], "safe_price", 0.0),
        fee_rate=np.where(entry, fee_open, fee_close),
        off_open=np.array([order.get("ft_order_tag") in OFF_OPEN_TAGS for order in filled], dtype=np.bool_),
    )
