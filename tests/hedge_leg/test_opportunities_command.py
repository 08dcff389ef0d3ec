"""`hedge-leg opportunities` through its command line, over a real journal."""

import csv
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hedge_leg import commands_observe
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.adapters.sql_observations import SqlObservations
from hedge_leg.core.opportunity import HOUR_MS, Shadow, blind
from hedge_leg.errors import ConfigError
from hedge_leg.observations import episodes
from hedge_leg.ports import EntryAsked
from tests.hedge_leg.core.observed import AT_MS, D, series
from tests.hedge_leg.fakes import PAIR

LOOKS, SETTLED = series(4)
OTHER = "ETH/USDT:USDT"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a journal with four days of looks at a pair, and one failed look at another."""
    found = f"sqlite:///{tmp_path_factory.mktemp('journal') / 'observed.sqlite'}"
    journal = open_journal(found)
    first, last = LOOKS[0].at_ms, LOOKS[-1].at_ms
    told = [EntryAsked(at_ms, PAIR, False, "too thin", D(1), D(100)) for at_ms in (first, last)]
    held = [Shadow(first, PAIR), Shadow(last, PAIR, first, D(2), net=D("-1.5"), closed=3)]
    SqlObservations(journal).append([*SETTLED, *LOOKS, *told, *held, blind(first, OTHER, "time-out")])
    journal.close()
    return found


def run(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "hedge_leg", "opportunities", "--journal", url, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_scores_are_printed_and_written_with_every_look(url: str, tmp_path: Path) -> None:
    table, out = tmp_path / "looks.csv", tmp_path / "looks.json"
    done = run(url, "--score", "--horizon", "1d", "3d", "--export", str(table), "--json", str(out))
    assert done.returncode == 0, done.stderr
    assert "paid bps" in done.stdout
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == len(LOOKS) + 1
    told = json.loads(out.read_text())
    first = told["looks"][0]
    paid = [one for one in SETTLED if LOOKS[0].at_ms < one.at_ms <= LOOKS[0].at_ms + 86_400_000]
    assert float(first["funding_bps_1d"]) == float(sum(one.rate for one in paid) * 10_000)
    assert first["funding_bps_3d"] is not None
    assert {row["horizon"] for row in told["table"]} == {"1d", "3d"}
    assert float(rows[0]["funding_bps_1d"]) == float(first["funding_bps_1d"])


def test_a_range_is_scored_by_what_came_after_it(url: str, tmp_path: Path) -> None:
    out = tmp_path / "day.json"
    until = "2023-11-15T03:00:00"
    done = run(url, "--score", "--horizon", "1d", "--until", until, "--pair", PAIR, "--json", str(out))
    assert done.returncode == 0, done.stderr
    looks = json.loads(out.read_text())["looks"]
    assert 0 < len(looks) < 24
    assert all(one["net_1d"] is not None for one in looks)


def test_until_is_not_part_of_the_range(url: str, tmp_path: Path) -> None:
    out = tmp_path / "up_to.json"
    moment = datetime.fromtimestamp(LOOKS[3].at_ms / 1000, UTC).isoformat()
    assert run(url, "--until", moment, "--pair", PAIR, "--json", str(out)).returncode == 0
    assert [one["at_ms"] for one in json.loads(out.read_text())["looks"]] == [one.at_ms for one in LOOKS[:3]]


def test_the_list_shows_stretches_of_a_decision_pretended_pairs_and_the_gate_s_answers(
    url: str, tmp_path: Path
) -> None:
    out = tmp_path / "list.json"
    done = run(url, "--json", str(out))
    assert done.returncode == 0
    assert "blind" in done.stdout
    assert "time-out" in done.stdout
    told = json.loads(out.read_text())
    (held,) = told["pretended"]
    assert (held["net"], held["closed before"]) == ("-1.5", 3)
    (asked,) = told["asked"]
    assert (asked["records"], asked["would open"], asked["answer"]) == (2, "no", "too thin")


def test_looks_that_all_failed_are_exported_though_nothing_can_be_scored(url: str, tmp_path: Path) -> None:
    table = tmp_path / "blind.csv"
    done = run(url, "--score", "--pair", OTHER, "--export", str(table))
    assert (done.returncode, "none" in done.stdout) == (0, True)
    assert [row["reason"] for row in csv.DictReader(table.open())] == ["time-out"]


def test_every_exported_column_is_explained(url: str, tmp_path: Path) -> None:
    table = tmp_path / "looks.csv"
    assert run(url, "--score", "--horizon", "1d", "--export", str(table)).returncode == 0
    columns = next(csv.reader(table.open()))
    page = (Path(__file__).parents[2] / "docs" / "observer.md").read_text()
    cells = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    explained = set(re.findall(r"`([a-z_]+)`", cells))
    depths = {f"{leg}_{side}_depth" for leg in ("perp", "spot") for side in ("bid", "ask")}
    assert {name.removesuffix("_1d") for name in columns} - depths <= explained


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--since", "2030-01-01"], 3, "no look was recorded in this range"),
        (["--until", "2020-01-01"], 3, "it holds 2023-11-15"),
        (["--pair", "XRP/USDT:USDT"], 3, f"no look at XRP/USDT:USDT was recorded: there are {PAIR}, {OTHER}"),
        (["--pair", OTHER, "--since", "2030-01-01"], 3, f"no look at {OTHER} was recorded in this range: it"),
        (["--since", "2024-01-02", "--until", "2024-01-02"], 2, "nothing can lie between them"),
        (["--horizon", "1d"], 2, "give --score, too"),
        (["--since", "yesterday"], 2, "is not a time"),
        (["--score", "--horizon", "1w"], 2, "--horizon 1w is not a horizon"),
        (["--score", "--horizon", "1d", "soon"], 2, "--horizon soon is not a horizon"),
        (["7d"], 2, "7d is not an option"),
    ],
)
def test_a_wrong_request_is_one_line(url: str, options: list[str], status: int, words: str) -> None:
    done = run(url, *options)
    assert done.returncode == status
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_exists_is_replaced_only_on_demand(url: str, tmp_path: Path) -> None:
    table = tmp_path / "looks.csv"
    table.write_text("mine\n")
    done = run(url, "--export", str(table))
    assert (done.returncode, table.read_text(), done.stderr.count("\n")) == (2, "mine\n", 1)
    assert "--overwrite" in done.stderr
    assert run(url, "--export", str(table), "--overwrite").returncode == 0
    assert table.read_text().startswith("time,")
    assert list(tmp_path.iterdir()) == [table]


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "looks.csv"
    table.write_text("mine\n")

    def full(_value: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commands_observe, "written", full)
    with (
        pytest.raises(ConfigError, match="cannot be written: No space left"),
        commands_observe.exported(table, overwrite=True) as export,
    ):
        export([{"time": "now"}])
    assert table.read_text() == "mine\n"
    assert list(tmp_path.iterdir()) == [table]


def test_small_prices_are_exported_with_their_digits(tmp_path: Path) -> None:
    table = tmp_path / "looks.csv"
    with commands_observe.exported(table, overwrite=False) as export:
        export(
            [
                {
                    "perp_bid": D("0.000007123456"),
                    "average": D(2) / D(3) / 10**6,
                    "none": None,
                    "qty": D("1E+3"),
                }
            ]
        )
    (row,) = csv.DictReader(table.open())
    assert row == {
        **{"perp_bid": "0.000007123456", "average": "0.000000666666666666667"},
        **{"none": "", "qty": "1000"},
    }


def test_a_stop_of_the_bot_ends_a_stretch_of_a_decision() -> None:
    waiting = [blind(AT_MS + hour * HOUR_MS, PAIR, "time-out") for hour in (0, 1, 2, 50, 51)]
    found = [(one["from"][:13], one["until"][:13], one["looks"]) for one in episodes(waiting)]
    assert found == [("2023-11-15 00", "2023-11-15 02", 3), ("2023-11-17 02", "2023-11-17 03", 2)]


def test_a_journal_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run(f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert done.returncode == 3
    assert "there is no journal" in done.stderr
