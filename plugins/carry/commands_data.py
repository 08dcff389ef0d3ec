"""Commands about market data: sample-data, check-data, features, download."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from typer.core import TyperCommand, TyperOption

from carry.commands_regime import Definition, print_cycles, regime_cycles, write_cycles
from carry.coverage import PairCoverage, inspect_pair, perps_in
from carry.coverage_table import coverage_record, print_coverage, sample_note
from carry.download import Order, run_downloads
from carry.errors import DataError, UsageError
from carry.features import FEATURE_COLUMNS, carry_features
from carry.findings import SAMPLE_MARKER, is_sample
from carry.market import FUNDING_TIMEFRAME, MARK_TIMEFRAME, candle_path, read_candles, read_funding
from carry.timerange import Timerange, parse_timerange

SAMPLE_DATADIR = Path("user_data/data/sample")
SAMPLE_TIMEFRAMES = ("5m", "15m", "1h")

Datadir = Annotated[Path, typer.Option(help="Folder with the candles, as freqtrade's --datadir.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the table as JSON too.")]
Range = Annotated[
    str | None, typer.Option(metavar="YYYYMMDD-YYYYMMDD", help="End excluded; either end may be left out.")
]
Perps = Annotated[
    list[str] | None,
    typer.Option("--pairs", "-p", metavar="PERP...", help="Perps such as BTC/USDT:USDT ETH/USDT:USDT."),
]


class SpacedLists(TyperCommand):
    """A command whose list options take several words, as freqtrade's do: --pairs A B."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat a list option before each of its further words, then parse as usual."""
        lists = {
            name
            for option in self.params
            if isinstance(option, TyperOption) and option.multiple
            for name in option.opts
        }
        spread: list[str] = []
        current, taken = "", 0
        for word in args:
            if word.startswith("-"):
                current, taken = (word, 0) if word in lists else ("", 0)
            elif current:
                spread += [current] if taken else []
                taken += 1
            spread.append(word)
        return super().parse_args(ctx, spread)


def register(app: typer.Typer) -> None:
    """Add the data commands to the command line."""
    app.command("sample-data")(sample_data)
    app.command("check-data", cls=SpacedLists)(check_data)
    app.command("features")(features)
    app.command("download", cls=SpacedLists)(download)


def sample_data(
    *,
    datadir: Datadir = SAMPLE_DATADIR,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same market.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Write it again.")] = False,
) -> None:
    """Write the simulated sample market: BTC, ETH and SOL, spot and perp, 2023 and 2024.

    Real candles are never overwritten.

    Example: carry sample-data --datadir user_data/data/sample --seed 7
    """
    from paper_exchange.errors import PaperExchangeError  # noqa: PLC0415 - only this command needs it
    from paper_exchange.sample import write_sample_market  # noqa: PLC0415

    console = _console()
    if not force and _holds_sample(datadir, seed):
        console.print(f"{datadir} already holds the sample market of seed {seed}: nothing to do (--force)")
        return
    if not is_sample(datadir) and any(datadir.glob("**/*.feather")):
        raise UsageError(f"{datadir} holds market data that is not a sample: give another --datadir")
    with Progress(console=console) as bar:
        task = bar.add_task("sample market", total=1.0)
        try:
            files = write_sample_market(
                datadir,
                seed=seed,
                progress=lambda what, share: bar.update(task, completed=share, description=what),
            )
        except PaperExchangeError as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            raise UsageError(
                f"{datadir} cannot be written ({error.strerror}): give another folder"
            ) from error
    console.print(f"{len(files)} files in {datadir}, seed {seed}: simulated, not real")


def _holds_sample(datadir: Path, seed: int) -> bool:
    """Tell whether the whole sample market of this seed is there; the marker is written first."""
    if not is_sample(datadir):
        return False
    try:
        marker = json.loads((datadir / SAMPLE_MARKER).read_text(encoding="utf-8"))
        held, coins = marker["seed"], [f"{coin}/USDT:USDT" for coin in marker["coins"]]
    except (ValueError, KeyError, TypeError):
        return False
    files = [(timeframe, kind) for timeframe in SAMPLE_TIMEFRAMES for kind in ("spot", "futures")]
    files += [(MARK_TIMEFRAME, "mark"), (FUNDING_TIMEFRAME, "funding_rate")]
    paths = (candle_path(datadir, pair, timeframe, kind) for pair in coins for timeframe, kind in files)
    return bool(held == seed) and all(path.is_file() for path in paths)


def check_data(
    *,
    datadir: Datadir,
    pairs: Perps = None,
    timeframe: Annotated[str, typer.Option(help="Timeframe of the candles.")] = "1h",
    timerange: Range = None,
    exchange: Annotated[str | None, typer.Option(help="Named in the commands that mend.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Check that both markets, mark and funding are complete. Exit status 3 on errors.

    Coverage is the share of what the perp's candles call for: candles that traded (futures, spot),
    settlements with a mark candle (mark), settlements (funding_rate).

    Example: carry check-data --datadir user_data/data/binance --timeframe 1h --timerange 20200201-20241231
    """
    wanted = parse_timerange(timerange)
    _need_folder(datadir)
    found = _inspect(datadir, pairs or perps_in(datadir), timeframe, wanted, exchange)
    print_coverage(_console(), datadir, found)
    if json_file is not None:
        record = {"datadir": str(datadir), "sample": is_sample(datadir), "timeframe": timeframe}
        record |= {"timerange": str(wanted), "pairs": [coverage_record(pair) for pair in found]}
        _write_json(json_file, record)
    if any(pair.errors for pair in found):
        raise typer.Exit(DataError.exit_status)


def features(
    *,
    datadir: Datadir,
    pair: Annotated[str, typer.Option(help="Perp such as BTC/USDT:USDT.")],
    timeframe: Annotated[str, typer.Option(help="Timeframe of the candles.")] = "1h",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all rows: .csv or .feather.")
    ] = None,
    json_file: JsonFile = None,
    tail: Annotated[int, typer.Option(min=1, help="Rows to print, the last ones.")] = 3,
    timerange: Range = None,
    definition: Annotated[
        Definition | None, typer.Option(help="Regime signals instead, one row per settlement cycle.")
    ] = None,
) -> None:
    """Compute the carry features of each perp candle, or the regimes of each cycle; print the last.

    Row t belongs to the candle opened at `date` and knows what its close knows. With --definition causal a
    row knows what its settlement knows; published is the paper's and looks ahead (docs/research/regime.md).

    Example: carry features --datadir user_data/data/binance --pair BTC/USDT:USDT --timeframe 1h --out btc.csv

    Example: carry features --definition causal --datadir user_data/data/binance --pair BTC/USDT:USDT
    """
    if out is not None and out.suffix not in {".csv", ".feather"}:
        raise UsageError(f"--out {out} is neither .csv nor .feather")
    wanted = parse_timerange(timerange)
    if definition is not None:
        cycles, about = regime_cycles(datadir, pair, timeframe, definition, wanted)
        print_cycles(_console(), datadir, cycles, about, tail)
        if out is not None:
            _write(out, lambda path: write_cycles(path, cycles))
        if json_file is not None:
            _write_json(json_file, about)
        return
    perp = read_candles(candle_path(datadir, pair, timeframe, "futures"))
    spot = read_candles(candle_path(datadir, pair, timeframe, "spot"))
    frame = carry_features(perp, spot, read_funding(datadir, pair), timeframe)
    frame.insert(0, "date", perp["date"])
    frame.insert(1, "perp_close", perp["close"])
    inside = wanted.holds(frame["date"])
    if not inside.any():
        raise DataError(f"{pair}: no candle in {wanted} of {datadir}: give another --timerange")
    frame = frame[inside].reset_index(drop=True)
    last = frame.tail(tail)
    title = f"{pair} {timeframe}, last {len(last)} of {len(frame)} rows{sample_note(datadir)}"
    _console().print(_features_table(title, last))
    if out is not None:
        _write(out, lambda path: _write_frame(path, frame))
    if json_file is not None:
        rows = json.loads(last.to_json(orient="records", date_format="iso", double_precision=15))
        record = {"pair": pair, "timeframe": timeframe, "sample": is_sample(datadir), "rows": rows}
        _write_json(json_file, record)


def _features_table(title: str, rows: pd.DataFrame) -> Table:
    """Return one column per candle, one line per feature."""
    table = Table(title=title)
    table.add_column("date (open, UTC)", no_wrap=True)
    for date in rows["date"]:
        table.add_column(f"{date:%Y-%m-%d %H:%M}", justify="right")
    for name in ("perp_close", *FEATURE_COLUMNS):
        table.add_row(
            name, *(f"{value:.4f}" if isinstance(value, float) else str(value) for value in rows[name])
        )
    return table


def download(
    *,
    pairs: Annotated[list[str], typer.Option("--pairs", "-p", metavar="PERP...", help="BTC/USDT:USDT ...")],
    timerange: Annotated[str, typer.Option(metavar="YYYYMMDD-YYYYMMDD", help="The end may be left out.")],
    datadir: Datadir,
    timeframes: Annotated[list[str] | None, typer.Option("--timeframes", "-t", help="1h ...")] = None,
    exchange: Annotated[str | None, typer.Option(help="binance if no --config names another.")] = None,
    config: Annotated[list[Path] | None, typer.Option("--config", "-c", help="freqtrade config.")] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Delete these files first: mends holes.")] = False,
) -> None:
    """Download perp, mark, funding and spot candles with freqtrade's downloader, then check them.

    Example: carry download --pairs BTC/USDT:USDT ETH/USDT:USDT --timeframes 1h --timerange 20200101-
    --datadir user_data/data/binance
    """
    wanted = parse_timerange(timerange)
    order = Order(
        tuple(pairs), tuple(timeframes or ["1h"]), wanted, datadir, exchange, tuple(config or ()), erase
    )
    console = _console()
    run_downloads(order, lambda command: console.print("running:", " ".join(command), soft_wrap=True))
    found = [
        pair
        for timeframe in order.timeframes
        for pair in _inspect(datadir, list(order.pairs), timeframe, wanted, exchange)
    ]
    print_coverage(console, datadir, found)
    failed = [pair.errors[0] for pair in found if pair.errors]
    if failed:
        raise DataError(
            f"the download is not complete: {failed[0].pair} {failed[0].series}: {failed[0].message}"
        )


def _console() -> Console:
    """Return a console for tables, wide enough for them where the output is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def _need_folder(datadir: Path) -> None:
    if not datadir.is_dir():
        raise DataError(f"{datadir} is not a folder: run `carry download` or give another --datadir")


def _inspect(
    datadir: Path, pairs: list[str], timeframe: str, wanted: Timerange, exchange: str | None
) -> list[PairCoverage]:
    return [
        inspect_pair(datadir, pair, timeframe, wanted.start, wanted.end, exchange=exchange) for pair in pairs
    ]


def _write_json(path: Path, record: dict[str, Any]) -> None:
    _write(path, lambda file: file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8"))


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_feather(path)


def _write(path: Path, writer: Callable[[Path], object]) -> None:
    try:
        writer(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give another file") from error
