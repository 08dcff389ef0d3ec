"""`hedge-leg statement`: every fact of carries, or their sums by carry, day or month. Reads only."""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, TextIO
from urllib.parse import urlsplit

import typer

from hedge_leg.commands_guard import DryRun, LayeredConfigs
from hedge_leg.commands_operate import JournalUrl, JsonFile, UserData, write_json
from hedge_leg.commands_show import (
    Read,
    parsed_range,
    present_ms,
    print_table,
    read_journal,
    shown,
    status_row,
    written,
)
from hedge_leg.core.carry import Carry
from hedge_leg.errors import ConfigError, NothingRecorded
from hedge_leg.statement import Line, Statement, alive_within, hedged_within, statement
from hedge_leg.statement_periods import Cell, Period, Row, Sums, Window, cells, day_text, rows, totals
from hedge_leg.whole_file import refuse_existing, whole_file

_NO_CONFIG: list[Path] = []
_CENT = Decimal("0.01")
By = Annotated[Period | None, typer.Option("--by", help="One line per carry, UTC day or month.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write the lines to this CSV file.")]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write a page with charts and all sums.")]


def statement_command(
    carry_ids: Annotated[list[str] | None, typer.Argument(help="Carries (default: all).")] = None,
    *,
    config: LayeredConfigs = _NO_CONFIG,
    userdir: UserData = Path("user_data"),
    journal: JournalUrl = "",
    dry_run: DryRun = False,
    since: Annotated[str, typer.Option(help="UTC day or time, as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option(help="UTC day or time; up to it, not including it.")] = "",
    by: By = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    html_file: HtmlFile = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace CSV and HTML files.")] = False,
) -> None:
    """Show every fact of carries, or with --by their sums; exit status 1 when the books do not balance.

    With --by, --since and --until choose facts; without it, carries. Exit status 3: nothing to sum.

    Example: hedge-leg statement --by month --html statement.html
    """
    since_ms, until_ms = parsed_range(since, until)
    for option, path in (("--csv", csv_file), ("--html", html_file)):
        refuse_existing(option, path, overwrite=overwrite)
    read = read_journal(config, userdir, journal, dry_run=dry_run)
    known = {carry.carry_id for carry in read.carries}
    for name in carry_ids or ():
        if name not in known:
            raise ConfigError(f"no carry {name} in the journal: see hedge-leg status --closed")
    wanted = [one for one in read.carries if not carry_ids or one.carry_id in carry_ids]
    now_ms = present_ms(read.carries)
    within = [one for one in wanted if alive_within(one, since_ms, until_ms)]
    told = [statement(carry, read.settings, now_ms) for carry in within]
    found: list[Cell] = []
    if by is not None or html_file is not None:
        found = _cells(read, wanted, Window(now_ms, since_ms, until_ms))
    if by is None:
        lines, content = _show_facts(told)
    else:
        lines, content = _show_sums(found, by)
    if csv_file is not None:
        with whole_file("--csv", csv_file, overwrite=overwrite) as file:
            _write_csv(file, lines)
    if html_file is not None:
        _write_page(html_file, found, read, overwrite=overwrite)
    if json_file is not None:
        write_json(json_file, content)
    wrong = [one.carry.carry_id for one in told if not one.balanced]
    if wrong:
        typer.echo(f"THE BOOKS ARE WRONG: {', '.join(wrong)}")
        sys.exit(1)


def _cells(read: Read, wanted: list[Carry], window: Window) -> list[Cell]:
    """Return all cells of a range; NothingRecorded says what there would be."""
    found = [cell for carry in wanted for cell in cells(carry, hedged_within(carry, read.settings), window)]
    if not found:
        whole = [cell.at_ms for one in read.carries for cell in cells(one, Decimal(0), Window(window.now_ms))]
        there = f"it holds {day_text(min(whole))} to {day_text(max(whole))}" if whole else "it holds none yet"
        raise NothingRecorded(f"the journal has no facts of carries in this range: {there}")
    return found


def _show_facts(told: list[Statement]) -> tuple[list[dict[str, Any]], Any]:
    """Print every fact; return the lines for a file, and what JSON shows."""
    lines: list[dict[str, Any]] = []
    for one in told:
        listed = list(map(_line_row, one.lines))
        print_table(f"{one.carry.carry_id} {one.carry.facts.pair} {one.carry.state}", listed)
        typer.echo(_summary(one))
        head = {"carry": one.carry.carry_id, "pair": one.carry.facts.pair}
        lines += [head | {name: written(value) for name, value in row.items()} for row in listed]
    if not told:
        typer.echo("no carry in this range")
    return lines, [status_row(one) | {"lines": list(map(_line_row, one.lines))} for one in told]


def _summary(told: Statement) -> str:
    """Return the totals and checks of a statement as text."""
    result, sums = told.result, ", ".join(f"{asset} {shown(qty)}" for asset, qty in told.residuals.items())
    share = told.rebalancing_share
    verdict = "as they must" if told.balanced else "THE BOOKS ARE WRONG"
    cash = ", ".join(f"{asset} {shown(qty)}" for asset, qty in told.cash.items())
    return (
        f"  basis {result.basis_pnl:.8f} + funding {result.funding:.8f} - perp fees {result.fees_perp:.8f}"
        f" - spot fees {result.fees_spot:.8f} - borrow {result.borrow:.8f} - fixed {result.fixed:.8f}"
        f" = net {result.net:.8f}\n"
        f"  of the fees {told.rebalancing:.8f} for rebalancing"
        f"{'' if share is None else f', {share:.2%} of the net before it'}\n"
        f"  postings sum to {sums} ({verdict}); cash {cash}\n"
        f"  unhedged {told.exposure.total_usd_s:.2f} USD x s, at most {told.exposure.worst_notional:.2f} USD"
        + (f"\n  {told.missing}" if told.missing else "")
    )


def _line_row(line: Line) -> dict[str, Any]:
    return {"time": _time_text(line.at_ms)} | {
        field.name: getattr(line, field.name) for field in fields(line) if field.name != "at_ms"
    }


def _time_text(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03}"


def _show_sums(found: list[Cell], by: Period) -> tuple[list[dict[str, Any]], Any]:
    """Print one line per carry, day or month and the total; return them exact, for files."""
    listed = rows(found, by)
    exact = [_head(row, by) | _amounts(row.sums) for row in listed]
    total = {quote: _amounts(sums) for quote, sums in totals(found).items()}
    names = _head(listed[0], by)
    for quote, amounts in total.items():
        last = dict.fromkeys(names, "") | {by.value: "total", "quote": quote} | amounts
        table = [row for row in exact if row["quote"] == quote]
        print_table(f"by {by}, {quote}", [_short(row) for row in [*table, last]])
    return [{name: _plain(value) for name, value in row.items()} for row in exact], {
        "by": by.value,
        "rows": [{name: _plain(value) for name, value in row.items()} for row in exact],
        "total": {
            quote: {name: _plain(value) for name, value in sums.items()} for quote, sums in total.items()
        },
    }


def _head(row: Row, by: Period) -> dict[str, Any]:
    head = {by.value: row.label}
    if row.carry is not None:
        closed = row.carry.closed
        head |= {"pair": row.carry.facts.pair, "state": row.carry.state.value}
        head |= {
            "from": _time_text(row.carry.began_ms)[:16],
            "until": _time_text(closed.at_ms)[:16] if closed else "",
        }
    return head | {"quote": row.quote}


def _amounts(sums: Sums) -> dict[str, Any]:
    """Return all figures of a line, costs as amounts paid."""
    return {
        "funding": sums.funding,
        "basis_pnl": sums.basis_pnl,
        "fees_perp": sums.fees_perp,
        "fees_spot": sums.fees_spot,
        "borrow": sums.borrow,
        "fixed": sums.fixed,
        "net": sums.net,
        "unhedged_usd_s": sums.unhedged_usd_s,
        "rebalancing": sums.rebalancing,
        "rebalancing_share": sums.rebalancing_share,
        "opened": sums.opened,
        "closed": sums.closed,
    }


def _plain(value: Any) -> Any:
    """Return a Decimal as its digits, all of them and without an exponent."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line for a terminal, without what the table's title says."""
    made = {name: value for name, value in row.items() if name not in ("quote", "from", "until")}
    share = made["rebalancing_share"]
    made["rebalancing_share"] = "" if share is None else f"{share:.2%}"
    return {
        name: f"{value.quantize(_CENT):,f}" if isinstance(value, Decimal) else value
        for name, value in made.items()
    }


def _write_csv(file: TextIO, lines: Sequence[Mapping[str, Any]]) -> None:
    names = list(lines[0]) if lines else ["carry", "pair", "time"]
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)


def _write_page(path: Path, found: list[Cell], read: Read, *, overwrite: bool) -> None:
    from hedge_leg.statement_page import Origin, statement_page  # noqa: PLC0415 - plotly takes a second

    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    origin = Origin(_journal_name(read.url), read.dry_run, sample=local_exchange(read.merged), made_ms=now_ms)
    with whole_file("--html", path, overwrite=overwrite) as file:
        file.write(statement_page(found, origin))


def _journal_name(url: str) -> str:
    """Return which journal it is, without user and password."""
    parts = urlsplit(url)
    return Path(parts.path).name if parts.scheme.startswith("sqlite") else f"{parts.hostname}{parts.path}"


def local_exchange(merged: Mapping[str, Any]) -> bool | None:
    """Return whether a configuration trades at an exchange on this computer; None where it names none."""
    exchange = merged.get("exchange")
    return any(map(_is_local, _texts(exchange))) if isinstance(exchange, Mapping) else None


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _is_local(text: str) -> bool:
    host = urlsplit(text).hostname or "" if text.startswith(("http://", "https://")) else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
