"""Errors of `carry`, by what happens next.

    CarryError
    ├── UsageError     bad command line, configuration or input file: exit status 2
    └── DataError      market data missing, incomplete or corrupt: exit status 3

Each message is one line: what, where, what to do. The command line prints it and exits with
`exit_status`; freqtrade's strategies turn it into freqtrade's own one-line error.
"""


class CarryError(Exception):
    """Base of every error that `carry` raises on purpose."""

    exit_status = 1


class UsageError(CarryError):
    """The request itself is wrong: refuse, change nothing."""

    exit_status = 2


class DataError(CarryError):
    """Market data is missing, incomplete or unreadable: no number may be computed from it."""

    exit_status = 3
