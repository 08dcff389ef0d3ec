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
from carry.walkforward.backend import Workers, run_tasks
from carry.walkforward.choices import Criterion
from carry.walkforward.confirm import FreqtradeCommand, compare
from carry.walkforward.daily import DayMarks
from carry.walkforward.evaluator import EvaluatorSource, Parameters, Space
from carry.walkforward.folds import AcrossTask, FoldTask, Record, Task, task_seed
from carry.walkforward.result import control_result, distinct, strategy_result
from carry.walkforward.search import SearchPlan, narrowed
from carry.walkforward.splits import SplitPlan, Window
from carry.walkforward.store import Store

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
            strategy_result(
                name, plan.windows, plan.seed, found, compared, means.marks, balance, spaces[name], slow[name]
            )
        )
    return {
        "strategies": strategies,
        "controls": [
            control_result(name, plan.windows, one, means.marks, balance) for name, one in controlled.items()
        ],
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
    tried = distinct(trial["parameters"] for record in found for trial in record["trials"])
    winners = distinct(record["winner"] for record in found if record["winner"] is not None)
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
