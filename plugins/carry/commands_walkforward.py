"""The command `carry walk-forward`."""

from pathlib import Path
from typing import Annotated

import typer

from carry.commands_data import SpacedLists
from carry.walkforward.choices import Backend, Criterion, Engine, Sampler

_OUT = Path("user_data/walk_forward")
_HELP = (
    "Choose parameters on one stretch of time, judge them on the next, and move on.\n\n"
    "Each fold searches the strategies' own parameter spaces on its training window and backtests the winner "
    "on its test window; the tests are stitched. Winners are confirmed by `freqtrade backtesting`: equal "
    "trades, or exit status 1. An interrupted run goes on when the same command is given again.\n\n"
    "Example: carry walk-forward -c user_data/config/base.json -c user_data/config/backtest.json "
    "--strategy FundingSpreadCarry --timerange 20210101-20241231 --datadir user_data/data/binance"
)


def register(app: typer.Typer) -> None:
    """Add the command to `carry`."""
    app.command("walk-forward", help=_HELP, cls=SpacedLists)(walk_forward)


def walk_forward(
    *,
    config: Annotated[list[Path], typer.Option("--config", "-c", help="freqtrade config, in layers.")],
    strategy: Annotated[list[str], typer.Option("--strategy", "-s", metavar="CLASS...", help="Candidates.")],
    datadir: Annotated[Path, typer.Option(help="Folder with the candles, as freqtrade's --datadir.")],
    timerange: Annotated[str, typer.Option(metavar="YYYYMMDD-YYYYMMDD", help="End excluded.")] = "-",
    timeframe: Annotated[str, typer.Option(help="Timeframe of the candles.")] = "1h",
    userdir: Annotated[Path, typer.Option(help="freqtrade's user folder.")] = Path("user_data"),
    controls: Annotated[
        list[str] | None, typer.Option(metavar="CLASS...", help="Judged with their defaults, never searched.")
    ] = None,
    train: Annotated[str, typer.Option(help="Settlement cycles (360c) or days (365d).")] = "360c",
    test: Annotated[str, typer.Option(help="As --train.")] = "90c",
    anchored: Annotated[bool, typer.Option("--anchored", help="Training begins at the start.")] = False,
    purge: Annotated[str, typer.Option(help="Cut from the end of training: 48h, 3d, 6c.")] = "0h",
    embargo: Annotated[str, typer.Option(help="Cut from the end of training, too.")] = "72h",
    trials: Annotated[int, typer.Option(help="Sets per fold.")] = 128,
    sampler: Annotated[Sampler, typer.Option(help="Who proposes sets.")] = Sampler.TPE,
    parameters: Annotated[
        list[str] | None, typer.Option(metavar="NAME...", help="Search only these; others keep defaults.")
    ] = None,
    criterion: Annotated[Criterion, typer.Option(help="Loss on the training window.")] = Criterion.NET,
    across: Annotated[int, typer.Option(min=2, help="Sets compared over the whole range.")] = 128,
    slow_sets: Annotated[
        int, typer.Option(min=2, help="At most, for strategies that only freqtrade can evaluate.")
    ] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same result.")] = 1,
    engine: Annotated[Engine, typer.Option(help="sweep where it can, else freqtrade.")] = Engine.AUTO,
    backend: Annotated[Backend, typer.Option(help="Who works.")] = Backend.LOCAL,
    scheduler: Annotated[str, typer.Option(help="Of Dask: tcp://HOST:PORT.")] = "",
    jobs: Annotated[int | None, typer.Option(help="Local processes; all cores by default.")] = None,
    no_confirm: Annotated[bool, typer.Option("--no-confirm", help="Exploration: no freqtrade runs.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for finished work and the page.")] = _OUT,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also as JSON.")] = None,
) -> None:
    """Walk forward; see the help text above."""
    from carry.walkforward.run import Request, run_walk  # noqa: PLC0415 - loads freqtrade and optuna

    request = Request(
        configs=tuple(config),
        strategies=tuple(dict.fromkeys(strategy)),
        controls=("AlwaysOnCarry", "ExtremeFundingCarry") if controls is None else tuple(controls),
        datadir=datadir,
        userdir=userdir,
        timeframe=timeframe,
        timerange=timerange,
        lengths=(train, test, purge, embargo),
        anchored=anchored,
        search=(sampler, trials, tuple(parameters or ())),
        criterion=criterion,
        across=across,
        slow_sets=slow_sets,
        seed=seed,
        engine=engine,
        workers=(backend, jobs, scheduler),
        confirm=not no_confirm,
        out=out,
        json_file=json_file or out / "walk-forward.json",
    )
    run_walk(request)
