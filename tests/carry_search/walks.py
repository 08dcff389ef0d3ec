"""Walks over the fake evaluator, for the tests of the driver and of its backends."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from carry.losses import LossTerms
from carry.report_json import finite
from carry.tape import DAY_NS
from carry.walkforward.backend import Workers
from carry.walkforward.choices import Criterion, Sampler
from carry.walkforward.evaluator import EvaluatorSource
from carry.walkforward.folds import Record, Task
from carry.walkforward.search import SearchPlan
from carry.walkforward.splits import Length, SplitPlan, Unit, cut_windows, ruler
from carry.walkforward.store import Store
from carry.walkforward.walk import Means, WalkPlan, walk

from . import fake

DAYS = 200


def plan(trials: int = 20, across: int = 12) -> WalkPlan:
    """Return a walk of seven folds of two candidates and a control."""
    split = SplitPlan(Length(60, Unit.DAYS), Length(20, Unit.DAYS), embargo=Length(24, Unit.HOURS))
    windows = cut_windows(split, ruler(split, 0, DAYS * DAY_NS, np.empty(0, dtype=np.int64)))
    search = SearchPlan(Sampler.TPE, trials)
    terms = LossTerms(turnover_penalty_bps=0.0)
    names = ("Alpha", "Beta"), ("Control",)
    return WalkPlan(*names, windows, split, search, Criterion.NET, terms, 7, across, slow_sets=9)


def means(
    folder: Path,
    workers: Workers | None = None,
    source: EvaluatorSource | None = None,
    heard: Callable[[Task], None] = lambda task: None,
) -> Means:
    """Return what a walk needs; `heard` is told of every finished task."""

    def progress(tasks: Sequence[Task]) -> Callable[[Task], None]:
        return heard

    store = Store(folder, "origin")
    return Means(source or fake.source(), workers or Workers(), store, fake.marks(DAYS), None, progress)


def run(
    folder: Path, workers: Workers | None = None, source: EvaluatorSource | None = None, trials: int = 20
) -> Record:
    """Walk to the end."""
    return walk(plan(trials), means(folder, workers, source))


def text(result: Record) -> str:
    """Return the bytes that the command would write."""
    return json.dumps(finite(result))
