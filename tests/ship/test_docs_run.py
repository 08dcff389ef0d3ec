"""Every command of the documentation is run, block by block in the order of the pages (`make docs-test`).

Then those that only the prose names. A command is run as it stands, except for what `SMALLER` puts in its
place; what is not run stands in `NOT_RUN` with its reason. An entry that no command needs fails here.
"""

import os
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.ship.commands import Fence, complete, fences, inline, pages
from tests.ship.docs_place import DocsPlace, free_port
from tests.ship.test_newcomer import section_commands

NOT_RUN = {
    r"^docker compose (?!.* exec )": "needs a Docker daemon; test_docker runs what compose.yml starts",
    r"^make docs-test": "runs this",
}
PAPER = "-c user_data/config/base.json -c user_data/config/paper.json"
# the same command, over less; or against the paper exchange, in a folder of its own, without its container
SMALLER = {
    r"((?:backtesting|hyperopt) .*)20230201-202[34]1231": r"\g<1>20230201-20230401",
    r"TIMERANGE=20230201-20241231": "TIMERANGE=20230201-20230401",
    r"(walk-forward .*)20230201-20241231": r"\g<1>20230201-20240601",
    r"20230120-20241231": "20230120-20230401",
    r"20210101-20241231": "20230101-20240501",
    r"2020010\d-20250101|20210101-20250101": "20230101-20241231",
    r"20210101-20230101": "20230101-20230401",
    r"--epochs 100": "--epochs 2",
    r"--trials 128": "--trials 4",
    r"--random 2000": "--random 20",
    r"--runs (20000|1000)\b": "--runs 10",
    r"^make soak RUNS=1000000$": "make soak",
    r"^make parity DRAWS=300( SEED=1)?$": "make parity",
    r"^carry download (.*)20230101- --datadir \S+$": "tools/with-paper-exchange user_data/data/sample "
    rf"carry download \g<1>20241215- --datadir user_data/data/downloaded {PAPER}",
    r"(child_study\.py .*)$": r"\g<1> --timerange 20230301-20230401",
    r"(rotation_study\.py .*)$": r"\g<1> --timerange 20230301-20230401 --groups main",
    # lint, types and import contracts whole, and one file of tests: pytest itself runs this
    r"^make test$": "PYTEST_ADDOPTS=tests/carry_core/test_costs_and_rules.py make test",
    r"^make crash-matrix$": "PYTEST_ADDOPTS='-k \"liquidation or undisturbed\"' make crash-matrix",
    r"^docker compose .* exec paper (hedge-leg .*)hedge_leg\.paper\.sqlite$": r"\g<1>hedge_leg.sqlite",
}
SMALL_MAKE = {
    "TIMERANGE": "20230201-20230401",
    "STRATEGIES": "FundingSpreadCarry AlwaysOnCarry",
    "WALK_RANGE": "20230120-20231031",
    "WALK": "--train 180d --test 60d --trials 8",
    "OBSERVE_DAYS": "1",
    "DAYS": "1",
    "RUNS": "20",
    "DRAWS": "2",
    "PARITY_RANGE": "20230201-20230601",
    "BENCH_RANGE": "20230201-20230401",
    "BENCH_ORDERS": "20",
    "BENCH_REQUESTS": "3",
}
# exit status 1 is an answer, too
MAY_SAY_NO = (r"^hedge-leg reset-breaker", r"^hedge-leg reconcile")

BLOCKS = [one for page in pages() for one in fences(page) if one.language == "bash" or one.name]
SCRIPTS = [one for one in BLOCKS if one.language == "bash"]
FENCED = [command for one in SCRIPTS for command in one.commands]
PROSE = sorted({one for page in pages() for one in inline(page) if complete(one)} - set(FENCED))
run_by_docs_test = pytest.mark.skipif(not os.environ.get("DOCS_TEST"), reason="run by make docs-test")


def not_run(command: str) -> bool:
    return any(re.search(pattern, command) for pattern in NOT_RUN)


def with_paper_keys(command: str) -> str:
    return command.replace("YOUR_KEY", "paper-exchange-key").replace("YOUR_SECRET", "paper-exchange-secret")


def smaller(command: str) -> str:
    for pattern, less in SMALLER.items():
        command = re.sub(pattern, less, command)
    return command


def test_every_exception_and_every_smaller_number_is_needed() -> None:
    commands = [*FENCED, *PROSE]
    for pattern in [*NOT_RUN, *SMALLER, *MAY_SAY_NO]:
        assert any(re.search(pattern, command) for command in commands), pattern
    for command in set(filter(not_run, commands)):
        assert command.startswith("docker compose") or command == "make docs-test"


@pytest.fixture(scope="module")
def made() -> set[str]:
    """Return the targets of make that have been made."""
    return set()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DocsPlace, str]]:
    """Yield the place and the id of a carry that lives in its journal."""
    found = DocsPlace(tmp_path_factory.mktemp("docs"), free_port(), free_port(), free_port())
    found.lay_out()
    for block in BLOCKS:
        if block.name:
            (found.clone / block.name).write_text(block.text)
    with found.exchange():
        yield found, found.a_living_carry()


@run_by_docs_test
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("block", SCRIPTS, ids=[f"{one.page}:{one.line}" for one in SCRIPTS])
def test_the_commands_of_a_block_run(place: tuple[DocsPlace, str], made: set[str], block: Fence) -> None:
    variables = dict(SMALL_MAKE)
    for command in block.commands:
        if command in section_commands():  # test_newcomer runs those
            continue
        if command.startswith("export "):
            shown = place[0].run(f"{with_paper_keys(command)}; env -0")
            told = dict(line.split("=", 1) for line in shown.split("\0") if "=" in line)
            variables |= {name: told[name] for name in told if name.startswith("FREQTRADE__")}
            continue
        run(command, place, made, variables)


@run_by_docs_test
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("command", PROSE)
def test_a_command_of_the_prose_runs(place: tuple[DocsPlace, str], made: set[str], command: str) -> None:
    run(command, place, made, SMALL_MAKE)


def run(command: str, place: tuple[DocsPlace, str], made: set[str], variables: Mapping[str, str]) -> None:
    """Run a command to its end, or until it serves; `made` keeps what takes minutes from a second run."""
    there, carry = place
    less = smaller(command).replace("unwind CARRY", f"unwind {carry} --yes")
    if not_run(command) or less in made:
        return
    if command.startswith("make "):
        made.add(less)
    if less.startswith("freqtrade trade"):
        with there.serving(less, "Bot heartbeat", "bot", there.api() | dict(variables)):
            pass
    elif less.startswith("paper-exchange serve"):
        with there.serving(f"{less} --port {free_port()}", r"127\.0\.0\.1", "paper"):
            pass
    else:
        no = any(re.search(pattern, less) for pattern in MAY_SAY_NO)
        there.run(less, variables, (0, 1) if no else (0,))
