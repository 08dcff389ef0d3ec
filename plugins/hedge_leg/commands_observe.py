"""`hedge-leg opportunities`: what the observer has seen, and what became of it. Read beside the bot."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hedge_leg.bootstrap import journal_url
from hedge_leg.commands_guard import LayeredConfigs
from hedge_leg.commands_operate import JournalUrl, JsonFile, UserData, write_json
from hedge_leg.commands_show import parsed_time, print_table, shown
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

_NO_CONFIG: list[Path] = []
_HORIZONS = ("1d", "3d", "7d")
_NO_TEXT: list[str] = []


@dataclass(frozen=True, slots=True)
class _Found:
    """What the journal holds of a range."""

    looks: Scored
    shadows: list[Shadow]
    asked: list[EntryAsked]


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
    first_ms, last_ms = parsed_time(since, "--since"), parsed_time(until, "--until")
    if first_ms is not None and last_ms is not None and first_ms >= last_ms:
        raise ConfigError(f"--since {since} is not before --until {until}: nothing can lie between them")
    if csv_file is not None and csv_file.exists() and not overwrite:
        raise _exists(csv_file)
    url = existing(journal or journal_url(settings_of(read_files(config)), userdir, dry_run=True))
    found = _read(url, pair, first_ms, last_ms, names)
    table = summary(found.looks) if with_score else episodes(found.looks.looks)
    print_table("opportunities, scored" if with_score else "opportunities", table)
    held, asked = pretended(found.shadows), answers(found.asked)
    if not with_score:
        print_table("pretended pairs at the end", held)
        print_table("entries of the strategy, as the gate answered", asked)
    if csv_file is not None:
        _write_csv(csv_file, rows(found.looks), overwrite=overwrite)
    if json_file is not None:
        told = {"table": table, "pretended": held, "asked": asked, "looks": rows(found.looks)}
        write_json(json_file, told)


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


def _read(url: str, pair: str, first_ms: int | None, last_ms: int | None, horizons: list[str]) -> _Found:
    """Return what lies in [first, last); later looks are read to score it, and left out again."""
    from hedge_leg.adapters.sql_journal import open_journal  # noqa: PLC0415 - a second away from --help
    from hedge_leg.adapters.sql_observations import SqlObservations  # noqa: PLC0415 - as above

    before_ms = None if last_ms is None else last_ms - 1
    opened = open_journal(url, exclusive=False)
    try:
        log = SqlObservations(opened)
        looks = list(log.read(Opportunity, pair=pair, since_ms=first_ms))
        settled = list(log.read(Settlement, pair=pair))
        shadows = list(log.read(Shadow, pair=pair, since_ms=first_ms, until_ms=before_ms))
        asked = list(log.read(EntryAsked, pair=pair, since_ms=first_ms, until_ms=before_ms))
    finally:
        opened.close()
    found = scored(looks, settled, horizons)
    kept = [at for at, one in enumerate(found.looks) if last_ms is None or one.at_ms < last_ms]
    if not kept:
        there = f"it holds {_span(found.looks)}" if found.looks else "run a bot in observer mode"
        raise NothingRecorded(f"no look{f' at {pair}' if pair else ''} was recorded in this range: {there}")
    chosen = Scored(
        tuple(found.looks[at] for at in kept),
        {name: tuple(results[at] for at in kept) for name, results in found.scores.items()},
    )
    return _Found(chosen, shadows, asked)


def _span(looks: Sequence[Opportunity]) -> str:
    return f"{shown_time(looks[0].at_ms)} to {shown_time(looks[-1].at_ms)}"


def _exists(path: Path) -> ConfigError:
    return ConfigError(f"--export {path} exists: give --overwrite, or name a new file; nothing was written")


def _write_csv(path: Path, found: list[dict[str, Any]], *, overwrite: bool) -> None:
    """Write the file whole or not at all: what was there stays until its successor is complete."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(found[0])
            writer.writerows([shown(value) for value in row.values()] for row in found)
        if path.exists() and not overwrite:  # it has come meanwhile
            raise _exists(path)
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"--export {path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
