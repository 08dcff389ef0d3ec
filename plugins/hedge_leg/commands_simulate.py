"""`hedge-leg simulate`: random schedules of faults, crashes and commands against the invariants."""

import logging
import os
import sys
import time
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hedge_leg.simulation.many import Report, shrink, simulate_many

_GROUPS = {
    "end": "states",
    "transition": "transitions",
    "remedy": "remedies",
    "fault": "faults",
    "crash": "crashes",
    "outcome": "outcomes",
}
_MANY = 20_000  # runs after which whatever is still missing is worth a line


def simulate(
    *,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1_000,
    steps: Annotated[int | None, typer.Option(min=1, help="Loops of each run (default: 20 to 60).")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
) -> None:
    """Run the spot leg against a simulated exchange and freqtrade; no network, no real time, no money.

    Each seed is a world of its own: prices, faults, crashes, commands, human hands. After every step the
    invariants are checked against the exchange's truth. A broken one is shrunk and told with the command that
    replays it; exit status 1.

    Example: hedge-leg simulate --seed 1 --runs 20000
    """
    logging.disable(logging.CRITICAL)  # the faults are on purpose
    began = time.monotonic()
    with Progress(TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("runs", total=runs)
        done = Report()

        def heard(part: Report) -> None:
            bar.advance(task, part.runs)
            for outcome in part.broken:
                typer.echo(f"seed {outcome.seed}: {outcome.broken}")
            done.runs += part.runs
            tenths = done.runs * 10 // runs
            if (
                runs >= _MANY
                and not bar.console.is_terminal
                and tenths > (done.runs - part.runs) * 10 // runs
            ):
                typer.echo(f"{done.runs:,} of {runs:,} runs, {time.monotonic() - began:.0f} s")

        workers = jobs or os.cpu_count() or 1
        report = simulate_many(seed, runs, steps=steps, jobs=workers, progress=heard)
    for outcome in report.broken[:3]:
        small = shrink(outcome)
        typer.echo(f"seed {outcome.seed}, made small: {small.broken}")
        typer.echo("  " + "; ".join(f"{key} {name}" for key, name in small.story))
        typer.echo(f"  replay: hedge-leg simulate --seed {outcome.seed} --runs 1 --steps {outcome.steps}")
    if runs >= _MANY and report.tally.missing():
        typer.echo(f"never reached: {', '.join(report.tally.missing())}")
    typer.echo(summary(report, time.monotonic() - began))
    if report.broken:
        sys.exit(1)


def summary(report: Report, seconds: float) -> str:
    """Return one line: runs, and how much of what exists was exercised."""
    parts = []
    for name, many in _GROUPS.items():
        counts = report.tally.group(name)
        reached = sum(1 for count in counts.values() if count)
        parts.append(f"{many} {reached}/{len(counts)} ({sum(counts.values()):,})")
    told = ", ".join(parts)
    return f"{report.runs:,} runs in {seconds:.0f} s: {told}; broken invariants {len(report.broken)}"
