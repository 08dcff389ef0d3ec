"""`carry sweep` behind its options: read, evaluate in blocks with a progress bar, rank, write."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from carry.errors import UsageError
from carry.sweep.evaluation import evaluate, prepare
from carry.sweep.freqtrade_setup import load_exchange, load_strategy, read_configuration, read_settings
from carry.sweep.grids import full_grid, grid_from_file, random_sets
from carry.sweep.history import load_history
from carry.sweep.signals import Value
from carry.timerange import parse_timerange

_BLOCK = 256
_SHOWN = 15
FIGURES = ("trades", "net", "return_on_capital", "sharpe", "max_drawdown", "average_exposure")


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What was asked on the command line; `grid` and `random` None: the full grid."""

    configs: tuple[Path, ...]
    strategy: str
    datadir: Path
    userdir: Path
    timeframe: str
    timerange: str | None
    pairs: tuple[str, ...]
    grid: Path | None
    random: int | None
    seed: int
    sort: str
    min_trades: int
    json_file: Path | None
    out: Path | None


def run_sweep(request: SweepRequest) -> int:
    """Evaluate, print the best sets, write the files; return 1 where no set reaches the floor on trades."""
    config = read_configuration(
        request.configs,
        datadir=str(request.datadir),
        user_data_dir=str(request.userdir),
        timeframe=request.timeframe,
        timerange=request.timerange,
        pairs=list(request.pairs) or None,
    )
    pairs = tuple(config["exchange"]["pair_whitelist"])
    strategy = load_strategy(config, request.strategy)
    sets = _sets(request, strategy.space)
    market = prepare(
        load_history(request.datadir, pairs, request.timeframe), strategy, parse_timerange(request.timerange)
    )
    settings = read_settings(config, strategy, load_exchange(config), pairs)
    console = Console(stderr=True)
    rows: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(request.strategy, total=len(sets))
        for first in range(0, len(sets), _BLOCK):
            block = evaluate(market, sets[first : first + _BLOCK], settings, lambda _: bar.advance(task))
            rows += [dict(result.parameters) | result.figures() for result in block]
    ranked = rank(pd.DataFrame(rows), request.sort, request.min_trades)
    wins = int((ranked["rank"] > 0).sum())
    _print(ranked.head(min(_SHOWN, wins)), request, sets, wins)
    _write(ranked, request, pairs, wins)
    return 0 if wins else 1


def _sets(request: SweepRequest, space: Any) -> Sequence[dict[str, Value]]:
    if request.grid is not None and request.random is not None:
        raise UsageError("--grid and --random exclude each other: give one of them")
    if request.grid is not None:
        return grid_from_file(request.grid, space)
    if request.random is not None:
        return random_sets(space, request.random, request.seed)
    return full_grid(space)


def rank(table: pd.DataFrame, sort: str, min_trades: int) -> pd.DataFrame:
    """Order sets by a figure, best first; those below the floor on trades (never below 1) go last, rank 0.

    `max_drawdown` is best when small. A figure that is not defined ranks below every one that is.
    """
    enough = table["trades"] >= max(min_trades, 1)
    figure = pd.to_numeric(table[sort], errors="coerce").astype(float)
    keys = pd.DataFrame({"enough": ~enough, "figure": figure if sort == "max_drawdown" else -figure})
    order = keys.sort_values(["enough", "figure"], kind="stable", na_position="last").index
    ranked = table.loc[order].reset_index(drop=True)
    count = int(enough.sum())
    ranked.insert(0, "rank", [k + 1 if k < count else 0 for k in range(len(ranked))])
    return ranked


def _print(best: pd.DataFrame, request: SweepRequest, sets: Sequence[Any], wins: int) -> None:
    floor = max(request.min_trades, 1)
    found = f"{len(sets):,} sets, {wins:,} with {floor} trades or more"
    table = Table(title=f"{request.strategy}: {found}, by {request.sort}")
    varied = [name for name in best.columns if name not in ("rank", *FIGURES) and _varies(name, sets)]
    for name in ("rank", "trades", "net", "return", "Sharpe", "drawdown"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("parameters")
    for row in best.to_dict("records"):
        sharpe = row["sharpe"]
        table.add_row(
            str(row["rank"]),
            str(row["trades"]),
            f"{row['net']:,.2f}",
            f"{row['return_on_capital']:.2%}",
            "-" if pd.isna(sharpe) else f"{sharpe:.2f}",
            f"{row['max_drawdown']:.2%}",
            " ".join(f"{name}={row[name]}" for name in varied),
        )
    Console().print(table)


def _varies(name: str, sets: Sequence[dict[str, Value]]) -> bool:
    return len({one[name] for one in sets if name in one}) > 1


def _write(ranked: pd.DataFrame, request: SweepRequest, pairs: Sequence[str], wins: int) -> None:
    try:
        if request.out is not None:
            request.out.parent.mkdir(parents=True, exist_ok=True)
            ranked.to_csv(request.out, index=False)
        if request.json_file is not None:
            request.json_file.parent.mkdir(parents=True, exist_ok=True)
            content = {
                "strategy": request.strategy,
                "pairs": list(pairs),
                "timeframe": request.timeframe,
                "timerange": request.timerange,
                "sets": len(ranked),
                "sets_with_enough_trades": wins,
                "min_trades": max(request.min_trades, 1),
                "sort": request.sort,
                "seed": request.seed if request.random is not None else None,
                "best": json.loads(ranked.head(min(_SHOWN, wins)).to_json(orient="records")),
            }
            request.json_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be written ({error.strerror}): give another file"
        ) from error
