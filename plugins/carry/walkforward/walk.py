"""The walk: searches and tests of every fold, controls on the same windows, confirmation, summary.

Order of work: (1) every strategy's folds, every control's windows and its one uninterrupted run; (2) a
sample of all sets that were tried, each over the whole range; (3) freqtrade's own backtests of the winners.
All of it is tasks, so all of it resumes; (1) and (2) can run on a cluster, (3) runs on this machine, where
freqtrade and its configuration are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from carry.errors import CarryError
from carry.losses import LossTerms
from carry.tape import Floats, iso
from carry.walkforward.backend import Workers, run_tasks
from carry.walkforward.choices import Criterion
from carry.walkforward.confirm import FreqtradeCommand, compare
from carry.walkforward.daily import DayMarks
from carry.walkforward.evaluator import EvaluatorSource, Parameters, Space
from carry.walkforward.folds import AcrossTask, FoldTask, Record, Task, task_seed
from carry.walkforward.search import SearchPlan, narrowed
from carry.walkforward.splits import SplitPlan, Window
from carry.walkforward.store import Store
from carry.walkforward.summary import (
    Series,
    evidence_of,
    figures_of,
    series_of,
    stability_of,
)

_CHUNK = 16  # sets per task of the runs across


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """What is walked. `across` bounds the sets that are compared over the whole range."""

    strategies: tuple[str, ...]
    controls: tuple[str, ...]
    windows: tuple[Window, ...]
    split: SplitPlan
    search: SearchPlan
    criterion: Criterion
    terms: LossTerms
    seed: int
    across: int
    slow_sets: int  # per fold, and across, for strategies that only freqtrade can evaluate

    def searched(self, slow: bool) -> SearchPlan:
        """Return the search of one strategy."""
        return replace(self.search, trials=min(self.search.trials, self.slow_sets)) if slow else self.search


@dataclass(frozen=True, slots=True)
class Means:
    """What it is walked with. `command` None leaves the winners unconfirmed."""

    source: EvaluatorSource
    workers: Workers
    store: Store
    marks: Mapping[str, DayMarks]
    command: FreqtradeCommand | None
    progress: Callable[[Sequence[Task]], Callable[[Task], None]]


@dataclass(frozen=True, slots=True)
class ConfirmTask:
    """freqtrade's own backtest of a fold's winners, compared with the trades that they were judged by."""

    fold: int
    window: Window
    winners: tuple[tuple[str, Space, tuple[tuple[str, Any], ...]], ...]
    trades: tuple[Any, ...]  # the records to compare with, one list per winner
    command: FreqtradeCommand

    @property
    def name(self) -> str:
        """Return a name that no other task of the run has."""
        return f"confirm-{self.fold:03d}"

    def described(self) -> Record:
        """Return all that decides the answer but the market and the code."""
        return {"window": asdict(self.window), "winners": self.winners, "trades": self.trades}

    def run(self) -> Record:
        """Return how many trades were compared; Unconfirmed where they differ."""
        winners = {name: (space, dict(values)) for name, space, values in self.winners}
        found = self.command.run(winners, self.window.test_ns, self.window.test_end_ns)
        for (name, _, _), trades in zip(self.winners, self.trades, strict=True):
            compare(name, f"fold {self.fold + 1}", trades, found[name])
        return {"trades": sum(len(trades) for trades in self.trades)}


def walk(plan: WalkPlan, means: Means) -> Record:
    """Return the whole result, JSON-ready; the same for equal plans, whatever workers did it.

    Raises CarryError (exit status 1) where a strategy found no set with enough trades in any fold,
    Unconfirmed where freqtrade disagrees, and what the evaluator raises for uncovered data.
    """
    evaluator = means.source.evaluator()
    spaces = {name: narrowed(evaluator.space(name), plan.search.names, name) for name in plan.strategies}
    slow = {name: evaluator.slow(name) for name in plan.strategies}
    folds = {name: _fold_tasks(name, plan, means.source, slow[name]) for name in plan.strategies}
    controls = {name: _control_tasks(name, plan, means.source) for name in plan.controls}
    first: list[Task] = [task for tasks in folds.values() for task in tasks]
    first += [task for tasks in controls.values() for task in tasks]
    answers = _run(first, means)
    records = {name: [answers[task.name] for task in tasks] for name, tasks in folds.items()}
    for name, found in records.items():
        if all(record["winner"] is None for record in found):
            raise CarryError(
                f"{name}: no parameter set made {plan.terms.minimum_trades} trades in any of "
                f"{len(found)} training windows: give longer windows or lower carry_loss.minimum_trades"
            )
    across = {
        name: _across_tasks(name, found, plan, means.source, plan.slow_sets if slow[name] else plan.across)
        for name, found in records.items()
    }
    answers |= _run([task for tasks in across.values() for task in tasks], means)
    controlled = {name: [answers[task.name] for task in tasks] for name, tasks in controls.items()}
    confirmed = 0
    if means.command is not None:
        every = {name: evaluator.space(name) for name in (*plan.strategies, *plan.controls)}
        tasks = _confirm_tasks(plan, records, controlled, every, means.command)
        local = Workers(jobs=means.workers.jobs)
        done = run_tasks(tasks, local, means.store, means.progress(tasks))
        confirmed = sum(int(answer["trades"]) for answer in done.values())
    balance = evaluator.balance
    strategies = []
    for name, found in records.items():
        compared = [answers[task.name] for task in across[name]]
        strategies.append(
            _strategy(name, plan, found, compared, means.marks, balance, spaces[name], slow[name])
        )
    return {
        "strategies": strategies,
        "controls": [_control(name, plan, one, means.marks, balance) for name, one in controlled.items()],
        "plan": _plan(plan, balance),
        "confirmed": means.command is not None,
        "confirmed_trades": confirmed,
    }


def _run(tasks: Sequence[Task], means: Means) -> dict[str, Record]:
    return run_tasks(tasks, means.workers, means.store, means.progress(tasks))


def _fold_tasks(name: str, plan: WalkPlan, source: EvaluatorSource, slow: bool) -> list[FoldTask]:
    return [
        FoldTask(name, place, window, plan.searched(slow), plan.criterion, plan.terms, plan.seed, source)
        for place, window in enumerate(plan.windows)
    ]


def _control_tasks(name: str, plan: WalkPlan, source: EvaluatorSource) -> list[AcrossTask]:
    """Return one task per test window, and last the run over all of them without a break."""
    spans = [(window.test_ns, window.test_end_ns) for window in plan.windows]
    spans.append((plan.windows[0].test_ns, plan.windows[-1].test_end_ns))
    return [AcrossTask(name, place, ((),), *span, source) for place, span in enumerate(spans)]


def _across_tasks(
    name: str, found: Sequence[Record], plan: WalkPlan, source: EvaluatorSource, most: int
) -> list[AcrossTask]:
    """Return runs of all winners and of a seeded sample of the other sets, over the whole range."""
    tried = _distinct(trial["parameters"] for record in found for trial in record["trials"])
    winners = _distinct(record["winner"] for record in found if record["winner"] is not None)
    others = [one for one in tried if one not in set(winners)]
    room = max(most - len(winners), 0)
    if len(others) > room:
        rng = np.random.default_rng(task_seed(plan.seed, name, len(found)))
        others = [others[place] for place in sorted(rng.choice(len(others), room, replace=False))]
    chosen = [*winners, *others]
    span = (plan.windows[0].train_ns, plan.windows[-1].test_end_ns)
    return [
        AcrossTask(name, place, tuple(chosen[place : place + _CHUNK]), *span, source)
        for place in range(0, len(chosen), _CHUNK)
    ]


def _distinct(sets: Any) -> list[tuple[tuple[str, Any], ...]]:
    """Return each set once, as pairs, in order of appearance."""
    return list(dict.fromkeys(tuple(sorted(one.items())) for one in sets))


def _confirm_tasks(
    plan: WalkPlan,
    records: Mapping[str, Sequence[Record]],
    controlled: Mapping[str, Sequence[Record]],
    spaces: Mapping[str, Space],
    command: FreqtradeCommand,
) -> list[ConfirmTask]:
    tasks = []
    for place, window in enumerate(plan.windows):
        judged: list[tuple[str, Parameters, Any]] = []
        for name, found in records.items():
            if found[place]["winner"] is not None:
                judged.append((name, found[place]["winner"], found[place]["trades"]))
        judged += [(name, {}, found[place]["trades"][0]) for name, found in controlled.items()]
        winners = tuple((name, spaces[name], tuple(sorted(values.items()))) for name, values, _ in judged)
        tasks.append(ConfirmTask(place, window, winners, tuple(rows for _, _, rows in judged), command))
    return tasks


def _strategy(
    name: str,
    plan: WalkPlan,
    found: Sequence[Record],
    compared: Sequence[Record],
    marks: Mapping[str, DayMarks],
    balance: float,
    space: Space,
    slow: bool,
) -> Record:
    """Return one candidate: folds, stitched figures, evidence, stability, equity, and all trials."""
    inside, outside, folds = [], [], []
    for window, record in zip(plan.windows, found, strict=True):
        train = series_of(record["train_trades"], marks, (window.train_ns, window.train_end_ns), balance)
        test = series_of(record["trades"], marks, (window.test_ns, window.test_end_ns), balance)
        inside.append(train)
        outside.append(test)
        folds.append(
            {
                "fold": record["fold"] + 1,
                "window": _window(window),
                "winner": record["winner"],
                "sets_tried": len(record["trials"]),
                "in_sample": asdict(figures_of(record["train_trades"], train, balance)),
                "out_of_sample": asdict(figures_of(record["trades"], test, balance)),
            }
        )
    rows = [row for record in found for row in record["trades"]]
    stitched = _stitch(outside)
    days = sum(series.ends_ns.size for series in inside)
    in_sample = float(sum(series.changes.sum() for series in inside)) / max(days, 1) * 365.0
    span = (plan.windows[0].train_ns, plan.windows[-1].test_end_ns)
    matrix = _matrix(compared, marks, span, balance)
    tried = len(_distinct(trial["parameters"] for record in found for trial in record["trials"]))
    evidence = asdict(evidence_of(stitched, in_sample, matrix, tried, plan.seed))
    if evidence["overfitting"] is not None:
        del evidence["overfitting"]["logits"]
    return {
        "strategy": name,
        "slow": slow,
        "space": [asdict(dimension) for dimension in space],
        "folds": folds,
        "out_of_sample": asdict(figures_of(rows, stitched, balance)),
        "in_sample_yearly": in_sample,
        "evidence": evidence,
        "stability": [asdict(one) for one in stability_of([record["winner"] for record in found])],
        "equity": _curve(stitched),
        "trials": [record["trials"] for record in found],
    }


def _control(
    name: str, plan: WalkPlan, found: Sequence[Record], marks: Mapping[str, DayMarks], balance: float
) -> Record:
    """Return one control: window by window as the candidates, and held through without a break."""
    parts = [
        series_of(record["trades"][0], marks, (window.test_ns, window.test_end_ns), balance)
        for window, record in zip(plan.windows, found[:-1], strict=True)
    ]
    restarted = _stitch(parts)
    span = (plan.windows[0].test_ns, plan.windows[-1].test_end_ns)
    held = series_of(found[-1]["trades"][0], marks, span, balance)
    rows = [row for record in found[:-1] for row in record["trades"][0]]
    per_fold = zip(found[:-1], parts, strict=True)
    return {
        "strategy": name,
        "restarted": asdict(figures_of(rows, restarted, balance)),
        "continuous": asdict(figures_of(found[-1]["trades"][0], held, balance)),
        "folds": [asdict(figures_of(record["trades"][0], part, balance)) for record, part in per_fold],
        "equity": _curve(restarted),
        "continuous_equity": _curve(held),
    }


def _stitch(parts: Sequence[Series]) -> Series:
    """Join consecutive series; a day that a window's border cuts is one day."""
    ends_ns = np.unique(np.concatenate([part.ends_ns for part in parts]))
    changes = np.zeros(ends_ns.size)
    for part in parts:
        changes[np.searchsorted(ends_ns, part.ends_ns)] += part.changes
    return Series(ends_ns, changes)


def _matrix(
    compared: Sequence[Record], marks: Mapping[str, DayMarks], span: tuple[int, int], balance: float
) -> Floats:
    columns = [
        series_of(rows, marks, span, balance).changes for record in compared for rows in record["trades"]
    ]
    return np.column_stack(columns) if columns else np.empty((0, 0))


def _curve(series: Series) -> Record:
    return {"days": [iso(int(at_ns)) for at_ns in series.ends_ns], "equity": series.equity.tolist()}


def _window(window: Window) -> Record:
    return {key.removesuffix("_ns"): iso(at_ns) for key, at_ns in asdict(window).items()}


def _plan(plan: WalkPlan, balance: float) -> Record:
    """Return what a reader needs to repeat the run."""
    return {
        "windows": len(plan.windows),
        "train": str(plan.split.train),
        "test": str(plan.split.test),
        "purge": str(plan.split.purge),
        "embargo": str(plan.split.embargo),
        "anchored": plan.split.anchored,
        "sampler": plan.search.sampler,
        "trials": plan.search.trials,
        "slow_sets": plan.slow_sets,
        "parameters": list(plan.search.names),
        "criterion": plan.criterion,
        "carry_loss": asdict(plan.terms),
        "seed": plan.seed,
        "balance": balance,
    }
