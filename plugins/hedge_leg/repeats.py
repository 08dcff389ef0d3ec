"""What is asked at every loop and refused every time: told once, and again each hour while it lasts."""

import re
from dataclasses import dataclass, field

_AGAIN_MS = 3_600_000
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class Repeats:
    """Remembers what was told under each key (a pair and what was asked of it), numbers aside."""

    _told: dict[tuple[str, str], int] = field(default_factory=dict)

    def is_news(self, key: str, text: str, now_ms: int) -> bool:
        """Return whether a text was not told in the last hour; it counts as told from now on."""
        self._told = {one: at_ms for one, at_ms in self._told.items() if now_ms - at_ms < _AGAIN_MS}
        found = key, _NUMBER.sub("#", text)
        if found in self._told:
            return False
        self._told[found] = now_ms
        return True

    def forget(self, key: str) -> None:
        """Let the next text be news: it was not refused this time."""
        self._told = {one: at_ms for one, at_ms in self._told.items() if one[0] != key}
