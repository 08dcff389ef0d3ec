"""A process of its own on a journal: `python -m tests.hedge_leg.journal_child URL WHAT ..`."""

import itertools
import os
import signal
import sys

from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.errors import HedgeError
from tests.hedge_leg.journal_contract import announced, paid


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(url: str, what: str, *rest: str) -> None:
    """Do `what`: hold | append-and-die COUNT | append-for-ever."""
    try:
        journal = open_journal(url)
    except HedgeError as error:
        _tell(f"refused: {type(error).__name__}: {error}")
        return
    if what == "hold":
        _tell("holding")
        sys.stdin.readline()
        journal.close()
    elif what == "append-and-die":
        journal.append("c1", 0, [announced()])
        for number in range(1, int(rest[0])):
            journal.append("c1", number, [paid(number)])
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        journal.append("c1", 0, [announced()])
        for version in itertools.count(1, 3):
            _tell(str(version))
            journal.append("c1", version, [paid(version), paid(version + 1), paid(version + 2)])


if __name__ == "__main__":
    main(*sys.argv[1:])
