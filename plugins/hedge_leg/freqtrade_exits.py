"""Which of freqtrade's own exits a short pair takes where several apply."""

from freqtrade.enums import ExitCheckTuple, ExitType
from freqtrade.persistence import Trade


def liquidated_first(check: ExitCheckTuple, trade: Trade, high: float | None) -> ExitCheckTuple:
    """Return a liquidation where freqtrade saw a stop that lies beyond the liquidation price."""
    liquidation_px = trade.liquidation_price
    stopped = check.exit_type is ExitType.STOP_LOSS and trade.is_short and high is not None
    if stopped and liquidation_px and liquidation_px <= min(high, trade.stop_loss):
        return ExitCheckTuple(ExitType.LIQUIDATION)
    return check
