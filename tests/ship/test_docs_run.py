"""Every command of the documentation is run, block by block in the order of the pages (`make docs-test`).

A command is run as it stands, except that `SMALLER` numbers take its place; what is not run stands in
`NOT_RUN` with its reason. Anything else that fails, or an entry that no command needs, fails here.
"""

import os
import re
from collections.abc import Iterator

import pytest

from tests.ship.commands import Fence, fences, pages
from tests.ship.docs_place import DocsPlace, free_port
from tests.ship.test_newcomer import section_commands

NOT_RUN = {
    r"^docker ": "no container engine here: test_docker runs what compose.yml starts",
    r"^cp docker/": "for containers only",
    r"^carry download": "asks Binance: test_download_http runs it on the paper exchange",
    r"python tools/(rotation|child)_study\.py": "dozens of backtests over years: half an hour",
    r"^make test": "runs all other tests",
    r"^make bench": "measures for minutes, and only on a quiet machine",
}
# the same command, over less
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
    r"RUNS=1000000": "RUNS=20",
}
SMALL_MAKE = {
    "TIMERANGE": "20230201-20230401",
    "STRATEGIES": "FundingSpreadCarry AlwaysOnCarry",
    "WALK_RANGE": "20230120-20231031",
    "WALK": "--train 180d --test 60d --trials 8",
    "OBSERVE_DAYS": "1",
}
# exit status 1 is an answer, too
MAY_SAY_NO = (r"^hedge-leg reset-breaker", r"^hedge-leg reconcile")

BLOCKS = [one for page in pages() for one in fences(page) if one.language == "bash" or one.name]
SCRIPTS = [one for one in BLOCKS if one.language == "bash"]
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
    commands = [command for one in SCRIPTS for command in one.commands]
    for pattern in [*NOT_RUN, *SMALLER, *MAY_SAY_NO]:
        assert any(re.search(pattern, command) for command in commands), pattern
    assert sum(map(not_run, commands)) < len(commands) / 5


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
@pytest.mark.parametrize("block", SCRIPTS, ids=[f"{one.page}:{one.line}" for one in SCRIPTS])
def test_the_commands_of_a_block_run(place: tuple[DocsPlace, str], made: set[str], block: Fence) -> None:
    there, carry = place
    variables = dict(SMALL_MAKE)
    for command in block.commands:
        if not_run(command) or command in section_commands() or command in made:  # test_newcomer runs those
            continue
        if command.startswith("make "):
            made.add(command)  # minutes, and the same on every page
        if command.startswith("export "):
            shown = there.run(f"{with_paper_keys(command)}; env -0")
            told = dict(line.split("=", 1) for line in shown.split("\0") if "=" in line)
            variables |= {name: told[name] for name in told if name.startswith("FREQTRADE__")}
            continue
        command = smaller(command).replace("unwind CARRY", f"unwind {carry} --yes")  # noqa: PLW2901
        if command.startswith("freqtrade trade"):
            with there.serving(command, "Bot heartbeat", "bot", there.api() | variables):
                pass
        elif command.startswith("paper-exchange serve"):
            with there.serving(f"{command} --port {free_port()}", r"127\.0\.0\.1", "paper"):
                pass
        else:
            no = any(re.search(pattern, command) for pattern in MAY_SAY_NO)
            there.run(command, variables, (0, 1) if no else (0,))
