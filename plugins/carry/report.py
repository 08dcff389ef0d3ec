"""Recompute a freqtrade backtest on both legs, from its fills and the recorded market alone.

freqtrade's own profit enters only as the figure to compare with: `residual` = |freqtrade's profit - net|.
A residual above `RESIDUAL_LIMIT` means that the binding and this recomputation disagree about the books.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carry.costs import CostModel
from carry.equity import EquityCurve, build_equity
from carry.errors import UsageError
from carry.freqtrade_results import BacktestExport, ExportedStrategy, ExportedTrade
from carry.ledger import FoldedCarry, Parts, fold_carry
from carry.market import load_market, timeframe_delta
from carry.tape import HOUR_NS, Closes, Tape, build_closes, build_tape

RESIDUAL_LIMIT = 1e-6  # quote currency; freqtrade rounds each exit's profit to 1e-8
SAMPLE_MARKER = "SAMPLE_MARKET.json"
CONTROLS = frozenset({"AlwaysOnCarry", "ExtremeFundingCarry"})


@dataclass(frozen=True, slots=True)
class TradeResult:
    """One trade recomputed. `entry_hours` and `exit_hours` to the next settlement, NaN where none follows."""

    trade: ExportedTrade
    folded: FoldedCarry
    entry_hours: float
    exit_hours: float

    @property
    def net(self) -> float:
        """Return the recomputed profit of both legs, quote currency."""
        return self.folded.parts.net

    @property
    def net_bps(self) -> float:
        """Return the profit in bps of the perp's entry notional."""
        return self.net / self.folded.entry_notional * 1e4

    @property
    def residual(self) -> float:
        """Return |freqtrade's profit - recomputed net|, quote currency."""
        return abs(self.trade.profit_abs - self.net)


@dataclass(frozen=True, slots=True)
class StrategyResult:
    """One strategy recomputed: trades in order of opening, and its equity on both legs' capital."""

    exported: ExportedStrategy
    trades: tuple[TradeResult, ...]
    curve: EquityCurve

    @property
    def name(self) -> str:
        """Return the strategy's class name."""
        return self.exported.name

    @property
    def is_control(self) -> bool:
        """Return whether this strategy is a yardstick rather than a candidate."""
        return self.name in CONTROLS

    @property
    def parts(self) -> Parts:
        """Return the sum of all trades' parts."""
        return sum((result.folded.parts for result in self.trades), Parts())

    @property
    def freqtrade_profit(self) -> float:
        """Return the sum of freqtrade's own profits, quote currency."""
        return float(sum(result.trade.profit_abs for result in self.trades))

    @property
    def worst_residual(self) -> float:
        """Return the largest residual of any trade."""
        return max((result.residual for result in self.trades), default=0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """All strategies of one export, best return on capital first, those without trades last.

    `tapes` and `closes` hold every pair that was traded, keyed by (pair, timeframe).
    """

    export: BacktestExport
    strategies: tuple[StrategyResult, ...]
    sample_market: bool
    tapes: Mapping[tuple[str, str], Tape]
    closes: Mapping[tuple[str, str], Closes]

    @property
    def costs(self) -> CostModel:
        """Return the cost model that both legs were recomputed with."""
        return self.export.costs

    @property
    def worst_residual(self) -> float:
        """Return the largest residual of any trade of any strategy."""
        return max((strategy.worst_residual for strategy in self.strategies), default=0.0)

    @property
    def reconciles(self) -> bool:
        """Return whether every trade's profit equals freqtrade's within the limit."""
        return self.worst_residual <= RESIDUAL_LIMIT


class _Markets:
    """Recorded markets of one data directory, each read once."""

    def __init__(self, datadir: Path) -> None:
        self._datadir = datadir
        self.tapes: dict[tuple[str, str], Tape] = {}
        self.closes: dict[tuple[str, str], Closes] = {}

    def tape(self, pair: str, timeframe: str) -> Tape:
        """Return the tape of a pair in the timeframe of the fills."""
        if (pair, timeframe) not in self.tapes:
            market = load_market(self._datadir, pair, timeframe)
            self.tapes[pair, timeframe] = build_tape(market)
            self.closes[pair, timeframe] = build_closes(market)
        return self.tapes[pair, timeframe]

    def marks(self, pair: str, timeframe: str) -> Closes:
        """Return the closes of a pair in the timeframe of the equity curve."""
        if (pair, timeframe) not in self.closes:
            self.closes[pair, timeframe] = build_closes(load_market(self._datadir, pair, timeframe))
        return self.closes[pair, timeframe]


def build_report(export: BacktestExport, datadir: Path, only: Sequence[str] = ()) -> Report:
    """Recompute every trade of the export, or of the strategies named in `only`.

    Raises UsageError for a name that the export does not hold or a directory that does not exist, DataError
    where recorded data do not cover a trade.
    """
    if not datadir.is_dir():
        raise UsageError(f"{datadir} is not a directory: give freqtrade's data directory with --datadir")
    names = [strategy.name for strategy in export.strategies]
    for name in only:
        if name not in names:
            raise UsageError(f"strategy {name} is not in {export.path.name}: it holds {', '.join(names)}")
    markets = _Markets(datadir)
    results = [
        recompute(strategy, export, markets)
        for strategy in export.strategies
        if not only or strategy.name in only
    ]
    results.sort(key=lambda result: (not result.trades, -result.parts.net / result.exported.starting_balance))
    return Report(
        export=export,
        strategies=tuple(results),
        sample_market=(datadir / SAMPLE_MARKER).is_file(),
        tapes=markets.tapes,
        closes=markets.closes,
    )


def recompute(strategy: ExportedStrategy, export: BacktestExport, markets: _Markets) -> StrategyResult:
    """Fold every trade of one strategy and mark its equity."""
    results: list[TradeResult] = []
    for trade in sorted(strategy.trades, key=lambda trade: (trade.open_ns, trade.pair)):
        tape = markets.tape(trade.pair, strategy.finest_timeframe)
        folded = fold_carry(trade.fills, tape, export.costs, export.spot_lot(trade.pair))
        results.append(
            TradeResult(
                trade=trade,
                folded=folded,
                entry_hours=hours_to_settlement(tape, int(folded.at_ns[0])),
                exit_hours=hours_to_settlement(tape, int(folded.at_ns[-1])),
            )
        )
    pairs = sorted({result.trade.pair for result in results})
    last_fill_ns = max((int(result.folded.at_ns[-1]) for result in results), default=strategy.end_ns)
    step_ns = timeframe_delta(strategy.timeframe).value
    curve = build_equity(
        carries={pair: [r.folded for r in results if r.trade.pair == pair] for pair in pairs},
        closes={pair: markets.marks(pair, strategy.timeframe) for pair in pairs},
        start=strategy.starting_balance,
        begin_ns=strategy.begin_ns,
        end_ns=max(strategy.end_ns, last_fill_ns) + step_ns,
    )
    return StrategyResult(strategy, tuple(results), curve)


def hours_to_settlement(tape: Tape, at_ns: int) -> float:
    """Return the hours from an instant to the next settlement after it; NaN where none is recorded."""
    row = int(np.searchsorted(tape.settle_ns, at_ns, side="right"))
    return float(tape.settle_ns[row] - at_ns) / HOUR_NS if row < tape.settle_ns.size else float("nan")
