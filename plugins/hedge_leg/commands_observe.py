"""`hedge-leg opportunities`: what the observer has seen, and what became of it. Read beside the bot."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from hedge_leg.bootstrap import journal_url
from hedge_leg.commands_guard import LayeredConfigs
from hedge_leg.commands_operate import JournalUrl, JsonFile, UserData, write_json
from hedge_leg.commands_show import parsed_range, print_table, written
from hedge_leg.config_files import existing, read_files, settings_of
from hedge_leg.core.opportunity import Opportunity, Shadow
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import ConfigError, NothingRecorded
from hedge_leg.observations import (
    Scored,
    answers,
    episodes,
    horizon_ms,
    pretended,
    rows,
    scored,
    shown_time,
    summary,
)
from hedge_leg.ports import EntryAsked
from hedge_leg.whole_file import refuse_existing, whole_file

if TYPE_CHECKING:
    from hedge_leg.adapters.sql_observations import SqlObservations

_NO_CONFIG: list[Path] = []
_HORIZONS = ("1d", "3d", "7d")
_NO_TEXT: list[str] = []


def opportunities(
    more: Annotated[
        list[str], typer.Argument(help="Further horizons, after --horizon.", show_default=False)
    ] = _NO_TEXT,
    *,
    config: LayeredConfigs = _NO_CONFIG,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    since: Annotated[str, typer.Option("--since", help="UTC day or time, as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option("--until", help="UTC day or time; up to it, not including it.")] = "",
    pair: Annotated[str, typer.Option("--pair", help="One pair, such as BTC/USDT:USDT.")] = "",
    with_score: Annotated[bool, typer.Option("--score", help="Score them by what happened then.")] = False,
    horizon: Annotated[
        list[str], typer.Option("--horizon", help="How long each would be held: 12h, 1d 3d 7d.")
    ] = _NO_TEXT,
    csv_file: Annotated[
        Path | None, typer.Option("--export", "--csv", help="Write every look to this CSV file.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the exported file.")] = False,
    json_file: JsonFile = None,
) -> None:
    """List what an observer would have done, or score it: expected funding, funding paid, basis, costs, net.

    Scores use settlements and looks of the journal only. A look whose horizon has not passed is not scored.
    Exit status 3 when nothing was recorded in the range.

    Example: hedge-leg opportunities -c user_data/config/base.json --score --horizon 1d 3d --export looks.csv
    """
    names = _horizons(horizon, more, with_score=with_score)
    first_ms, last_ms = parsed_range(since, until)
    refuse_existing("--export", csv_file, overwrite=overwrite)
    url = existing(journal or journal_url(settings_of(read_files(config)), userdir, dry_run=True))
    table: list[dict[str, Any]] = []
    looks: list[dict[str, Any]] = []
    seen = 0
    with _log(url) as log, exported(csv_file, overwrite=overwrite) as export:
        spans = log.spans(Opportunity)
        wanted = [name for name in spans if pair in ("", name)]
        for name in _tracked(wanted):  # what has been read of a pair is let go before the next
            found = _read(log, name, first_ms, last_ms, names)
            seen += len(found.looks)
            table += summary(found) if with_score else episodes(found.looks)
            if csv_file is not None:
                export(rows(found))
            if json_file is not None:
                looks += rows(found)
            del found
        if not seen:
            raise _nothing(pair, spans)
        before_ms = None if last_ms is None else last_ms - 1
        held = pretended(log.read(Shadow, pair=pair, since_ms=first_ms, until_ms=before_ms))
        asked = answers(log.read(EntryAsked, pair=pair, since_ms=first_ms, until_ms=before_ms))
    print_table("opportunities, scored" if with_score else "opportunities", table)
    if not with_score:
        print_table("pretended pairs at the end", held)
        print_table("entries of the strategy, as the gate answered", asked)
    if json_file is not None:
        write_json(json_file, {"table": table, "pretended": held, "asked": asked, "looks": looks})


def _horizons(horizon: list[str], more: list[str], *, with_score: bool) -> list[str]:
    """Return the horizons to score by, each once; ConfigError for what is none."""
    if more and not horizon:
        raise ConfigError(f"{more[0]} is not an option of opportunities: see --help")
    if horizon and not with_score:
        raise ConfigError("--horizon says how to score: give --score, too")
    names = list(dict.fromkeys([*horizon, *more])) or list(_HORIZONS)
    for name in names:
        horizon_ms(name)
    return names if with_score else []


@contextmanager
def _log(url: str) -> Iterator["SqlObservations"]:
    from hedge_leg.adapters.sql_journal import open_journal  # noqa: PLC0415 - a second away from --help
    from hedge_leg.adapters.sql_observations import SqlObservations  # noqa: PLC0415 - as above

    opened = open_journal(url, exclusive=False)
    try:
        yield SqlObservations(opened)
    finally:
        opened.close()


def _read(
    log: "SqlObservations", pair: str, first_ms: int | None, last_ms: int | None, horizons: list[str]
) -> Scored:
    """Return a pair's looks in [first, last), scored by what came after them."""
    looks = log.read(Opportunity, pair=pair, since_ms=first_ms)
    found = scored(looks, log.read(Settlement, pair=pair), horizons)
    kept = sum(last_ms is None or one.at_ms < last_ms for one in found.looks)  # they ascend in time
    return Scored(found.looks[:kept], {name: results[:kept] for name, results in found.scores.items()})


def _tracked(pairs: Iterable[str]) -> Iterator[str]:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        yield from bar.track(list(pairs), description="reading")


def _nothing(pair: str, spans: Mapping[str, tuple[int, int]]) -> NothingRecorded:
    """Say what there would be: spans are of all pairs."""
    if pair and spans and pair not in spans:
        return NothingRecorded(f"no look at {pair} was recorded: there are {', '.join(spans)}")
    there = "run a bot in observer mode"
    if spans:
        ends = [span for name, span in spans.items() if pair in ("", name)]
        there = (
            f"it holds {shown_time(min(one[0] for one in ends))} to {shown_time(max(one[1] for one in ends))}"
        )
    return NothingRecorded(f"no look{f' at {pair}' if pair else ''} was recorded in this range: {there}")


@contextmanager
def exported(path: Path | None, *, overwrite: bool) -> Iterator[Callable[[Iterable[dict[str, Any]]], None]]:
    """Give a function that writes rows to a CSV file, which is there whole or not at all; None: nowhere."""
    if path is None:
        yield lambda _rows: None
        return
    with whole_file("--export", path, overwrite=overwrite) as file:
        writer, headed = csv.writer(file), False

        def write(found: Iterable[dict[str, Any]]) -> None:
            nonlocal headed
            for row in found:
                if not headed:
                    writer.writerow(row)
                headed = True
                writer.writerow([written(value) for value in row.values()])

        yield write
