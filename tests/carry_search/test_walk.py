"""The driver on a formula: deterministic, resumable, judged on what was not searched."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carry.errors import CarryError, UsageError
from carry.losses import net_loss
from carry.walkforward.backend import Workers
from carry.walkforward.choices import Sampler
from carry.walkforward.confirm import Unconfirmed, compare
from carry.walkforward.evaluator import Dimension
from carry.walkforward.folds import FoldTask, Record, Task, trade_records, trade_table
from carry.walkforward.page import walk_page
from carry.walkforward.search import SearchPlan, narrowed, search, values_of
from carry.walkforward.store import Store
from carry.walkforward.walk import walk
from tests.carry_results.test_page import Page

from . import fake, walks


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Return a whole walk."""
    return walks.run(tmp_path_factory.mktemp("walk"))


def test_every_fold_is_searched_and_its_test_is_stitched(result: Record) -> None:
    alpha, beta = result["strategies"]
    assert [one["strategy"] for one in (alpha, beta)] == ["Alpha", "Beta"]
    assert len(alpha["folds"]) == 7
    net = sum(fold["out_of_sample"]["net"] for fold in alpha["folds"])
    assert alpha["equity"]["equity"][-1] - 1.0 == pytest.approx(net)
    assert alpha["out_of_sample"]["net"] == pytest.approx(net)
    assert len(alpha["equity"]["days"]) == 7 * 20
    assert all(fold["winner"]["threshold"] > 0 for fold in alpha["folds"])  # 0 never trades
    assert len({fold["winner"]["threshold"] for fold in alpha["folds"]}) > 1  # the best drifts
    assert alpha["evidence"]["sets_compared"] == 12 < alpha["evidence"]["sets_tried"]
    assert 0.0 <= alpha["evidence"]["overfitting"]["pbo"] <= 1.0
    (control,) = result["controls"]
    assert control["restarted"]["trades"] == control["continuous"]["trades"] == 7 * 20
    assert result["confirmed"] is False


def test_winner_is_the_best_of_the_training_window_alone(result: Record) -> None:
    record = result["strategies"][0]
    for fold, trials in zip(record["folds"], record["trials"], strict=True):
        best = min(trials, key=lambda trial: trial["loss"])
        assert fold["winner"] == best["parameters"]
        assert fold["in_sample"]["trades"] == 59  # 60 days less the embargo of one


def test_no_trial_of_a_search_knows_anything_after_its_training_window() -> None:
    fold = first_fold()
    window, evaluator = fold.window, fake.FakeEvaluator()
    begin, end = (pd.Timestamp(at, tz="UTC") for at in (window.train_ns, window.train_end_ns))
    for trial in fold.run()["trials"]:
        sets = [trial["parameters"]]
        (trades,) = evaluator.evaluate("Alpha", sets, window.train_ns, window.train_end_ns)
        assert trial["loss"] == net_loss(trades, begin, end, fake.BALANCE, fold.terms)


def test_same_seed_gives_the_same_bytes_in_one_process_or_two(result: Record, tmp_path: Path) -> None:
    one = walks.text(result)
    assert walks.text(walks.run(tmp_path / "two", Workers(jobs=2))) == one
    other = walk(replace(walks.plan(), seed=8), walks.means(tmp_path / "three"))
    assert walks.text(other) != one


def test_interrupted_run_goes_on_and_gives_the_same_bytes(result: Record, tmp_path: Path) -> None:
    heard: list[str] = []

    def stop_at_five(task: Task) -> None:
        heard.append(task.name)
        if len(heard) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk(walks.plan(), walks.means(tmp_path / "cut", heard=stop_at_five))
    kept = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "cut/tasks").glob("*.json")}
    assert len(kept) == 5
    assert walks.text(walks.run(tmp_path / "cut")) == walks.text(result)
    again = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "cut/tasks").glob("*.json")}
    assert {name: again[name] for name in kept} == kept


def test_kept_work_of_another_market_or_half_a_file_is_not_used(tmp_path: Path) -> None:
    fold = first_fold()
    Store(tmp_path, "origin").keep(fold, {"winner": None})
    assert Store(tmp_path, "origin").load(fold) is not None
    assert Store(tmp_path, "another").load(fold) is None
    (tmp_path / "tasks" / f"{fold.name}.json").write_text('{"fingerprint": "')
    assert Store(tmp_path, "origin").load(fold) is None
    assert Store(tmp_path, "origin").load(replace(fold, seed=8)) is None


def first_fold() -> FoldTask:
    plan = walks.plan()
    window, terms = plan.windows[0], plan.terms
    return FoldTask("Alpha", 0, window, plan.search, plan.criterion, terms, plan.seed, fake.source())


def test_strategy_that_never_trades_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CarryError, match="Alpha: no parameter set made 3 trades") as refusal:
        walks.run(tmp_path, source=fake.source(idle=True))
    assert refusal.value.exit_status == 1 and "\n" not in str(refusal.value)


def test_empty_space_and_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no parameters"):
        narrowed((), (), "AlwaysOnCarry")
    with pytest.raises(UsageError, match="no parameter treshold"):
        narrowed(fake.SPACE, ("treshold",), "Alpha")
    assert [one.name for one in narrowed(fake.SPACE, ("hold",), "Alpha")] == ["hold"]


def test_grid_tries_every_set_once_and_refuses_to_try_only_some() -> None:
    tried = search(fake.SPACE, SearchPlan(Sampler.GRID, 42), 1, lambda sets: [0.0] * len(sets))
    assert len(tried) == len({tuple(trial.parameters.items()) for trial in tried}) == 7 * 3 * 2
    with pytest.raises(UsageError, match="42 sets"):
        search(fake.SPACE, SearchPlan(Sampler.GRID, 41), 1, lambda sets: [0.0] * len(sets))


@pytest.mark.parametrize("sampler", [Sampler.TPE, Sampler.RANDOM])
def test_search_is_seeded_and_judges_each_set_once(sampler: Sampler) -> None:
    judged: list[object] = []

    def judge(sets: Sequence[Any]) -> list[float]:
        judged.extend(tuple(one.items()) for one in sets)
        return [float(abs(one["threshold"] - 3)) for one in sets]

    first = search(fake.SPACE, SearchPlan(sampler, 90), 1, judge)
    assert len(judged) == len(set(judged)) == len(first)
    assert search(fake.SPACE, SearchPlan(sampler, 90), 1, judge) == first
    assert search(fake.SPACE, SearchPlan(sampler, 90), 2, judge) != first
    assert min(trial.loss for trial in first) == 0.0
    with pytest.raises(UsageError, match="--trials 0"):
        SearchPlan(sampler, 0)


def test_values_of_ranges_are_those_of_freqtrades_parameters() -> None:
    assert values_of(Dimension("i", "buy", 1, low=2, high=5, step=1)) == (2, 3, 4, 5)
    values = values_of(Dimension("d", "buy", 0.1, low=0.0, high=0.3, step=0.1))
    assert values == (0.0, 0.1, 0.2, 0.3)


def test_trades_come_back_from_json_as_they_were() -> None:
    table = fake.FakeEvaluator().evaluate("Alpha", [{}], 0, 10 * 86_400 * 10**9)[0]
    records = json.loads(json.dumps(trade_records(table)))
    back = trade_table(records)
    for name in ("pair", "amount", "open_rate", "close_rate", "profit_abs", "exit_reason", "orders"):
        assert back[name].tolist() == table[name].tolist()
    assert np.array_equal(back["open_date"].to_numpy(), table["open_date"].to_numpy())
    assert trade_records(trade_table([])) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("open_date", 1), ("amount", 1.1), ("exit_reason", "roll"), ("profit_abs", 5.00001), ("close_date", 9)],
)
def test_any_difference_from_freqtrade_is_named(name: str, value: object) -> None:
    ours = {
        "pair": "A",
        "open_date": 0,
        "close_date": 5,
        "amount": 1.0,
        "exit_reason": "x",
        "profit_abs": 5.0,
    }
    compare("S", "fold 1", [ours], [{**ours, "profit_abs": 5.0 + 5e-7}])
    with pytest.raises(Unconfirmed, match=name) as refusal:
        compare("S", "fold 1", [ours], [{**ours, name: value}])
    assert refusal.value.exit_status == 1
    with pytest.raises(Unconfirmed, match="1 trades, freqtrade has 0"):
        compare("S", "fold 1", [ours], [])


def test_page_is_self_contained_and_draws_what_it_names(result: Record) -> None:
    page = walk_page({"sample_market": True, "pairs": [fake.PAIR], **result})
    parser = Page()
    parser.feed(page)
    for tag, attributes in parser.tags:
        assert tag not in {"link", "iframe", "base", "object", "embed", "form", "img"}
        assert not {"src", "href", "srcset", "action", "data"} & set(attributes)
    figures = json.loads(parser.scripts[0])["figures"]
    wanted = {attributes["data-figure"] for _, attributes in parser.tags if "data-figure" in attributes}
    assert wanted == set(figures)
    assert {"equity", "s0-folds", "s0-paths", "s0-heat", "s1-heat"} <= wanted
    shown = "".join(parser.text)
    assert "sample market, not real" in shown and "unconfirmed" in shown
