"""Trading halts: which symbols do not trade, and until when on the exchange's clock."""

from paper_exchange.instruments import Venue
from paper_exchange.thinning import FOREVER_MS


class Halts:
    """Halted symbols. A halt that is over is remembered: nothing was traded before its end."""

    def __init__(self) -> None:
        """Start with every symbol trading."""
        self._until_ms: dict[tuple[Venue, str], int] = {}

    def halt(self, venue: Venue, name: str, until_ms: int | None) -> None:
        """Stop a symbol's trading until `until_ms` (exclusive; None: until `clear`)."""
        self._until_ms[venue, name] = FOREVER_MS if until_ms is None else until_ms

    def clear(self, now_ms: int) -> None:
        """Let every symbol trade again from `now_ms` on."""
        self._until_ms = {key: min(until_ms, now_ms) for key, until_ms in self._until_ms.items()}

    def until_ms(self, venue: Venue, name: str) -> int:
        """Return when the symbol's last halt ends or ended; 0 when there was none."""
        return self._until_ms.get((venue, name), 0)

    def active(self, venue: Venue, name: str, now_ms: int) -> bool:
        """Return whether the symbol does not trade."""
        return now_ms < self.until_ms(venue, name)

    def names(self, now_ms: int) -> list[tuple[str, str]]:
        """Return venue and symbol of every halt in force."""
        return [(venue.value, name) for (venue, name), end_ms in self._until_ms.items() if now_ms < end_ms]
