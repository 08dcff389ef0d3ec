"""API credentials of the spot leg: from the environment only, never shown.

freqtrade blanks the keys of its own `exchange` block before a strategy is built, so the spot leg reads
them again itself. Names are compared without regard to case, as freqtrade does.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from hedge_leg.errors import ConfigError

_PREFIXES = ("FREQTRADE__HEDGE_LEG__", "FREQTRADE__EXCHANGE__")
_FIELDS = ("KEY", "SECRET", "PASSWORD", "UID")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """An API key with its secret; `password` and `uid` where the exchange asks for them."""

    key: str
    secret: str
    password: str = ""
    uid: str = ""

    def __repr__(self) -> str:
        """Return a text that shows nothing: it may end in a log."""
        return "Credentials(hidden)"

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must not appear in a log, a journal or an error."""
        return tuple(text for text in (self.key, self.secret, self.password, self.uid) if text)


def from_environment(environ: Mapping[str, str]) -> Credentials:
    """Read FREQTRADE__HEDGE_LEG__KEY, SECRET, PASSWORD and UID, or else FREQTRADE__EXCHANGE__..

    One block is taken as a whole: a key of one with the secret of the other would never work. ConfigError
    when a block has only one of key and secret, or when there is none.
    """
    found = {name.upper(): value.strip() for name, value in environ.items()}
    for prefix in _PREFIXES:
        block = {field: found.get(prefix + field, "") for field in _FIELDS}
        if not any(block.values()):
            continue
        for field in ("KEY", "SECRET"):
            if not block[field]:
                raise ConfigError(
                    f"environment variable {prefix}{field} is missing: set it beside the others"
                )
        return Credentials(block["KEY"], block["SECRET"], block["PASSWORD"], block["UID"])
    raise ConfigError(
        "no API key for the spot leg: set FREQTRADE__HEDGE_LEG__KEY and FREQTRADE__HEDGE_LEG__SECRET"
    )


def take_credentials(block: MutableMapping[str, Any]) -> Credentials | None:
    """Take the keys out of the "hedge_leg" block, so that nothing that prints the block shows them.

    freqtrade merges FREQTRADE__HEDGE_LEG__KEY and its like into the configuration. Returns None when there
    are none, or all are empty; ConfigError when only one of key and secret is there.
    """
    found = {name: str(block.pop(name)).strip() for name in map(str.lower, _FIELDS) if name in block}
    if not any(found.values()):
        return None
    for name in ("key", "secret"):
        if not found.get(name):
            raise ConfigError(f"hedge_leg.{name} is missing: set FREQTRADE__HEDGE_LEG__{name.upper()}")
    return Credentials(found["key"], found["secret"], found.get("password", ""), found.get("uid", ""))
