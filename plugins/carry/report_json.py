"""The report as JSON: stable keys, finite numbers or null, times in ISO-8601 UTC."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from carry.costs import CostModel
from carry.errors import UsageError
from carry.ledger import Parts
from carry.report import RESIDUAL_LIMIT, Report, StrategyResult, TradeResult
from carry.statistics import Group, breakdowns, cost_ladder, summarize
from carry.tape import iso


def report_json(report: Report) -> dict[str, Any]:
    """Return the whole report as JSON-ready values."""
    ranks = iter(range(1, len(report.strategies) + 1))
    content: dict[str, Any] = {
        "sample_market": report.sample_market,
        "export": report.export.path.name,
        "costs": costs_json(report.costs),
        "costs_configured": report.export.configured,
        "residual_limit": RESIDUAL_LIMIT,
        "reconciles": report.reconciles,
        "strategies": [
            strategy_json(strategy, next(ranks) if strategy.trades else None)
            for strategy in report.strategies
        ],
    }
    return finite(content)  # type: ignore[no-any-return]


def costs_json(costs: CostModel) -> dict[str, Any]:
    """Return the cost model field by field."""
    return asdict(costs)


def parts_json(parts: Parts) -> dict[str, float]:
    """Return net and parts under the keys that every level of the report shares."""
    return {"net_pnl": parts.net, **asdict(parts)}


def strategy_json(strategy: StrategyResult, rank: int | None) -> dict[str, Any]:
    """Return one strategy; `rank` by return on capital, None for a strategy without trades."""
    exported, parts = strategy.exported, strategy.parts
    summary = asdict(summarize(strategy))
    ladder = [asdict(rung) for rung in cost_ladder(strategy)]
    groups = {
        name: [_group_json(group) for group in grouped] for name, grouped in breakdowns(strategy).items()
    }
    return {
        "strategy": strategy.name,
        "control": strategy.is_control,
        "rank": rank,
        "note": None if strategy.trades else "no trades",
        "timeframe": exported.timeframe,
        "timeframe_detail": exported.timeframe_detail,
        "begin_at": iso(exported.begin_ns),
        "end_at": iso(exported.end_ns),
        "starting_balance": exported.starting_balance,
        **parts_json(parts),
        "freqtrade_profit_abs": strategy.freqtrade_profit,
        "residual": abs(strategy.freqtrade_profit - parts.net),
        "worst_trade_residual": strategy.worst_residual,
        "equity_points": int(strategy.curve.equity.size),
        "final_equity": float(strategy.curve.equity[-1]) if strategy.curve.equity.size else None,
        **summary,
        "cost_ladder": ladder,
        **groups,
        "trade_list": [trade_json(trade) for trade in strategy.trades],
    }


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "label": group.label,
        "trades": group.trades,
        "net_bps_per_trade": group.net_bps_per_trade,
        **parts_json(group.parts),
    }


def trade_json(result: TradeResult) -> dict[str, Any]:
    """Return one trade with its parts."""
    trade = result.trade
    return {
        "pair": trade.pair,
        "open_at": iso(trade.open_ns),
        "close_at": iso(trade.close_ns),
        "exit_reason": trade.exit_reason,
        "enter_tag": trade.enter_tag,
        "entry_notional": result.folded.entry_notional,
        **parts_json(result.folded.parts),
        "net_bps": result.net_bps,
        "freqtrade_profit_abs": trade.profit_abs,
        "residual": result.residual,
    }


def finite(value: Any) -> Any:
    """Return the value with every number that is not finite replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    return value


def write_json(content: object, path: Path) -> None:
    """Write JSON with UTF-8 text; UsageError if the place cannot be written."""
    write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False), path)


def write_text(text: str, path: Path) -> None:
    """Write a file as UTF-8, creating its folder; UsageError if the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from error
