"""The command `carry sweep`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from carry.commands_data import Datadir, JsonFile, Perps, SpacedLists

_HELP = (
    "Evaluate thousands of parameter sets of one strategy: the trades of freqtrade backtesting, each in less "
    "than a millisecond.\n\n"
    "Parameters and their values are read from the strategy's class. Sets without trades never win. Exit "
    "status 1 where no set reaches --min-trades.\n\n"
    "Example: carry sweep -c user_data/config/base.json -c user_data/config/backtest.json "
    "-c user_data/config/paper.json --strategy FundingSpreadCarry --datadir user_data/data/sample "
    "--timerange 20230120-20241231 --random 2000"
)


class Figure(StrEnum):
    """What sets can be ranked by."""

    NET = "net"
    SHARPE = "sharpe"
    RETURN = "return_on_capital"
    DRAWDOWN = "max_drawdown"


def register(app: typer.Typer) -> None:
    """Add the command to `carry`."""
    app.command("sweep", help=_HELP, cls=SpacedLists)(sweep)


def sweep(
    *,
    config: Annotated[list[Path], typer.Option("--config", "-c", help="freqtrade config, in layers.")],
    strategy: Annotated[str, typer.Option("--strategy", "-s", metavar="CLASS", help="Strategy class.")],
    datadir: Datadir,
    timerange: Annotated[
        str | None,
        typer.Option(metavar="YYYYMMDD-YYYYMMDD", help="As freqtrade's: the candle at its end is included."),
    ] = None,
    timeframe: Annotated[str, typer.Option(help="Timeframe of the candles.")] = "1h",
    pairs: Perps = None,
    userdir: Annotated[Path, typer.Option(help="freqtrade's user folder.")] = Path("user_data"),
    grid: Annotated[
        Path | None, typer.Option(metavar="FILE", help='JSON {"parameter": [values]}; others at defaults.')
    ] = None,
    random: Annotated[int | None, typer.Option(min=1, metavar="N", help="N random sets, not all.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same sets.")] = 1,
    sort: Annotated[Figure, typer.Option(help="Rank by.")] = Figure.NET,
    min_trades: Annotated[int, typer.Option(min=1, help="Sets with fewer trades cannot win.")] = 10,
    json_file: JsonFile = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write all sets as CSV.")] = None,
) -> None:
    """Sweep; see the help text above."""
    from carry.sweep.command import SweepRequest, run_sweep  # noqa: PLC0415 - loads freqtrade and numba

    request = SweepRequest(
        configs=tuple(config),
        strategy=strategy,
        datadir=datadir,
        userdir=userdir,
        timeframe=timeframe,
        timerange=timerange,
        pairs=tuple(pairs or ()),
        grid=grid,
        random=random,
        seed=seed,
        sort=sort.value,
        min_trades=min_trades,
        json_file=json_file,
        out=out,
    )
    raise typer.Exit(run_sweep(request))
