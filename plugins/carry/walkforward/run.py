"""A walk from the command line's words to its files: check, cut, walk, write, print."""

import importlib.util
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from carry.coverage import require_coverage
from carry.errors import CarryError, DataError, UsageError
from carry.findings import is_sample
from carry.losses import loss_terms
from carry.market import candle_path, read_candles, read_funding, settle_stamps, timeframe_delta
from carry.report_json import finite, write_json, write_text
from carry.tape import Ints, instants
from carry.timerange import Timerange, parse_timerange
from carry.walkforward.backend import Workers
from carry.walkforward.choices import Backend, Criterion, Engine, Sampler
from carry.walkforward.confirm import FreqtradeCommand
from carry.walkforward.daily import day_marks
from carry.walkforward.folds import Task
from carry.walkforward.page import walk_page
from carry.walkforward.search import SearchPlan
from carry.walkforward.sources import evaluator_source
from carry.walkforward.splits import SplitPlan, cut_windows, parse_length, ruler
from carry.walkforward.store import Store, digest_of
from carry.walkforward.tables import print_walk
from carry.walkforward.walk import Means, WalkPlan, walk


class Interrupted(CarryError):
    """The user stopped the run; finished work is kept."""


@dataclass(frozen=True, slots=True)
class Request:
    """The command line's words, not yet checked; meanings as in `carry walk-forward --help`."""

    configs: tuple[Path, ...]
    strategies: tuple[str, ...]
    controls: tuple[str, ...]
    datadir: Path
    userdir: Path
    timeframe: str
    timerange: str
    lengths: tuple[str, str, str, str]  # train, test, purge, embargo
    anchored: bool
    search: tuple[Sampler, int, tuple[str, ...]]
    criterion: Criterion
    across: int
    slow_sets: int
    seed: int
    engine: Engine
    workers: tuple[Backend, int | None, str]
    confirm: bool
    out: Path
    json_file: Path


def run_walk(request: Request) -> None:
    """Walk forward, write JSON and page, print the tables. Raises what `walk` and its parts raise."""
    names = ("--train", "--test", "--purge", "--embargo")
    lengths = [parse_length(text, name) for text, name in zip(request.lengths, names, strict=True)]
    split = SplitPlan(lengths[0], lengths[1], lengths[2], lengths[3], request.anchored)
    terms = loss_terms(_layered(request.configs))
    backend, jobs, scheduler = request.workers
    workers = Workers(backend, os.cpu_count() or 1 if jobs is None else jobs, scheduler)
    search = SearchPlan(*request.search)
    datadir, timeframe = request.datadir, request.timeframe
    if not datadir.is_dir():
        raise DataError(f"{datadir} is not a folder: run `carry download` or give another --datadir")
    source = evaluator_source(request.engine, request.configs, request.userdir, datadir, timeframe)
    pairs = source.evaluator().pairs
    begin_ns, end_ns, settlements_ns = _span(datadir, pairs, timeframe, parse_timerange(request.timerange))
    windows = cut_windows(split, ruler(split, begin_ns, end_ns, settlements_ns))
    plan = WalkPlan(
        strategies=request.strategies,
        controls=request.controls,
        windows=windows,
        split=split,
        search=search,
        criterion=request.criterion,
        terms=terms,
        seed=request.seed,
        across=request.across,
        slow_sets=request.slow_sets,
    )
    with _progress() as bar:
        means = Means(
            source=source,
            workers=workers,
            store=Store(request.out, digest_of(_origin(request))),
            marks={pair: day_marks(datadir, pair, timeframe) for pair in pairs},
            command=_command(request),
            progress=_counting(bar),
        )
        try:
            result = walk(plan, means)
        except KeyboardInterrupt as stop:
            raise Interrupted(
                f"interrupted: finished work is kept in {request.out}, give the same command again to go on"
            ) from stop
    result = finite({"sample_market": is_sample(datadir), "pairs": list(pairs), **result})
    _publish(result, request)


def _publish(result: dict[str, Any], request: Request) -> None:
    page = request.out / "walk-forward.html"
    write_json(result, request.json_file)
    write_text(walk_page(result), page)
    console = Console()
    console = console if console.is_terminal else Console(width=160)
    print_walk(result, console)
    console.print(f"JSON: {request.json_file}, page: {page}", soft_wrap=True)


def _command(request: Request) -> FreqtradeCommand | None:
    if not request.confirm:
        return None
    return FreqtradeCommand(request.configs, request.userdir, request.datadir, request.timeframe)


def _layered(configs: Sequence[Path]) -> dict[str, object]:
    """Return the top level of all layers, later ones over earlier; only our own block is read from it."""
    content: dict[str, object] = {}
    for path in configs:
        try:
            layer = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"config {path} cannot be read: give a JSON file of freqtrade with -c"
            ) from error
        content |= layer if isinstance(layer, dict) else {}
    return content


def _span(datadir: Path, pairs: Sequence[str], timeframe: str, wanted: Timerange) -> tuple[int, int, Ints]:
    """Return begin and end of the walk and the first pair's settlements, ns.

    Raises DataError where a pair's spot, mark or funding has a hole in the range; a pair that is listed later
    is covered from then on.
    """
    step = timeframe_delta(timeframe)
    first = read_candles(candle_path(datadir, pairs[0], timeframe, "futures"))["date"]
    begin = max(wanted.start or first.iloc[0], first.iloc[0])
    end = min(wanted.end or first.iloc[-1] + step, first.iloc[-1] + step)
    for pair in pairs:
        require_coverage(datadir, pair, timeframe, begin, end)
    settled = instants(settle_stamps(read_funding(datadir, pairs[0])["date"]))
    return pd.Timestamp(begin).value, pd.Timestamp(end).value, settled


def _origin(request: Request) -> list[Path]:
    """Return every file that decides the result: configuration, strategies, candles, our own code."""
    packages = [importlib.util.find_spec(name) for name in ("carry", "hedge_leg")]
    folders = [Path(spec.origin).parent for spec in packages if spec is not None and spec.origin]
    code = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    candles = sorted(request.datadir.rglob("*.feather"))
    strategies = sorted((request.userdir / "strategies").glob("*.py"))
    return [*request.configs, *strategies, *candles, *code]


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _counting(bar: Progress) -> Callable[[Sequence[Task]], Callable[[Task], None]]:
    """Return what opens a line of progress for a list of tasks."""

    def begin(tasks: Sequence[Task]) -> Callable[[Task], None]:
        kind = tasks[0].name.split("-")[0] if tasks else "done"
        words = {"fold": "search", "across": "compare", "confirm": "freqtrade confirms"}
        line = bar.add_task(words.get(kind, kind), total=max(len(tasks), 1))
        return lambda _: bar.advance(line)

    return begin
