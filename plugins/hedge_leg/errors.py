"""Errors of `hedge_leg`, by what happens next.

HedgeError
├── ConfigError        the configuration is wrong: refuse to start
└── LedgerImbalance    postings do not sum to zero: halt, the books are wrong
"""


class HedgeError(Exception):
    """Base of every error that `hedge_leg` raises on purpose."""


class ConfigError(HedgeError):
    """A setting is wrong: one line that names the field and what is allowed. Nothing was started."""


class LedgerImbalance(HedgeError):
    """An entry's postings do not sum to zero per asset. The entry was not recorded."""
