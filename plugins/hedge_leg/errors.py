"""Errors of `hedge_leg`, by what happens next.

HedgeError
├── ConfigError          the configuration is wrong: refuse to start
│   ├── JournalMissing   there is no journal where one is looked for: nothing to show
│   └── NothingRecorded  the journal holds nothing of the range asked for
├── VenueRefused         proof that no order exists: next step of the plan
├── OutcomeUnknown       an order may exist: never resend, look it up until it is known
├── VenueUnavailable     a read failed: nothing is known, try again at the next tick
├── JournalError         a fact could not be made durable: halt
│   ├── VersionConflict  somebody else wrote this carry: halt, reload
│   └── LeaseHeld        another process drives this journal: refuse to start
├── LedgerImbalance      postings do not sum to zero: halt, the books are wrong
└── IllegalTransition    the state table does not know this step: nothing was changed
"""


class HedgeError(Exception):
    """Base of every error that `hedge_leg` raises on purpose."""


class ConfigError(HedgeError):
    """A setting is wrong: one line that names the field and what is allowed. Nothing was started."""


class JournalMissing(ConfigError):
    """There is no journal at that place. Nothing was created."""


class NothingRecorded(ConfigError):
    """Nothing was recorded in the range asked for. Nothing was written."""


class VenueRefused(HedgeError):
    """The venue said no in a way that proves that no order exists. `code` is the venue's own."""

    def __init__(self, text: str, code: str = "") -> None:
        """Keep the venue's text (without secrets) and its error code."""
        super().__init__(text)
        self.code = code


class OutcomeUnknown(HedgeError):
    """An order was sent and nobody knows what became of it. Never resend: look it up."""


class VenueUnavailable(HedgeError):
    """A read failed or its answer cannot be understood. Unknown, never zero: try again later."""


class JournalError(HedgeError):
    """A fact could not be written or read back. Nothing may be sent that depends on it."""


class VersionConflict(JournalError):
    """The carry has a newer version in the journal than the writer knew. Nothing was written."""


class LeaseHeld(JournalError):
    """Another process drives this journal. Nothing was started."""


class LedgerImbalance(HedgeError):
    """An entry's postings do not sum to zero per asset. The entry was not recorded."""


class IllegalTransition(HedgeError):
    """The state table has no such step. Nothing was changed."""
