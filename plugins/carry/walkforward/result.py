"""Finished tasks of one series turned into its part of the result, JSON-ready."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from carry.tape import Floats, iso
from carry.walkforward.daily import DayMarks
from carry.walkforward.evaluator import Space
from carry.walkforward.folds import Record
from carry.walkforward.splits import Window
from carry.walkforward.summary import Series, evidence_of, figures_of, series_of, stability_of


def distinct(sets: Any) -> list[tuple[tuple[str, Any], ...]]:
    """Return each set once, as pairs, in order of appearance."""
    return list(dict.fromkeys(tuple(sorted(one.items())) for one in sets))


def strategy_result(
    name: str,
    windows: Sequence[Window],
    seed: int,
    found: Sequence[Record],
    compared: Sequence[Record],
    marks: Mapping[str, DayMarks],
    balance: float,
    space: Space,
    slow: bool,
) -> Record:
    """Return one candidate: folds, stitched figures, evidence, stability, equity, and all trials."""
    inside, outside, folds = [], [], []
    for window, record in zip(windows, found, strict=True):
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
    span = (windows[0].train_ns, windows[-1].test_end_ns)
    matrix = _matrix(compared, marks, span, balance)
    tried = len(distinct(trial["parameters"] for record in found for trial in record["trials"]))
    evidence = asdict(evidence_of(stitched, in_sample, matrix, tried, seed))
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


def control_result(
    name: str,
    windows: Sequence[Window],
    found: Sequence[Record],
    marks: Mapping[str, DayMarks],
    balance: float,
) -> Record:
    """Return one control: window by window as the candidates, and held through without a break."""
    parts = [
        series_of(record["trades"][0], marks, (window.test_ns, window.test_end_ns), balance)
        for window, record in zip(windows, found[:-1], strict=True)
    ]
    restarted = _stitch(parts)
    span = (windows[0].test_ns, windows[-1].test_end_ns)
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
