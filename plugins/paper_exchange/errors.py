"""Errors of `paper_exchange`, by what happens next.

    PaperExchangeError
    ├── UsageError          bad command line, argument or configuration: exit status 2, nothing was started
    ├── DataError           market data missing or unreadable: exit status 3, nothing was started
    └── RefusedRequestError a client's request is wrong: answered with Binance's code, the server goes on

Each message of the first two is one line: what, where, what to do.
"""


class PaperExchangeError(Exception):
    """Base of every error that `paper_exchange` raises on purpose."""

    exit_status = 1


class UsageError(PaperExchangeError):
    """The request to the tool itself is wrong: refuse, change nothing."""

    exit_status = 2


class DataError(PaperExchangeError):
    """Market data is missing or unreadable: no price may be served from it."""

    exit_status = 3


class RefusedRequestError(PaperExchangeError):
    """A client's request is refused the way Binance does: HTTP status and {"code": .., "msg": ..}."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        """Keep Binance's (negative) error `code`, its `message` and the HTTP status to answer with."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status
