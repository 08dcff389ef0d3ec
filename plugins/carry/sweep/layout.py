"""Columns of the kernel's tables: the state of one pair's trade, and the record of a closed one."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class Terms(NamedTuple):
    """Capital and costs of a run in the kernel's units: fractions, quote."""

    wallet: float
    stake: float  # fixed capital of one pair, NaN: unlimited
    slots: float
    ratio: float
    amend: bool
    amend_share: float
    amount_reserve: float
    liquidation_buffer: float
    fee: float
    leverage: float
    reserve: float  # share of the notional kept for entry costs and as a buffer
    roll_distance: float
    perp_slip: float
    spot_slip: float
    spot_fee: float
    borrow_per_ms: float
    fixed: float
    side_bps: float
    pairs: Floats  # (pairs, 10): columns T_*
    tiers: Floats  # (pairs, brackets, 5): min, max notional, leverage, rate, amount; NaN: no bracket


class Limits(NamedTuple):
    """`carry.rules.ExitPolicy` of one parameter set, hours and bps, 0 = off."""

    holding_window_h: float
    maximum_holding_h: float
    after_settlement: bool
    stop_loss_bps: float
    take_profit_bps: float
    flip_tolerance_h: float


# What the exchange allows for one pair (`settings.PairLimits`); steps as fractions of whole numbers.
T_STEP_NUM, T_STEP_DEN, T_PRICE_NUM, T_PRICE_DEN, T_LOT_NUM, T_LOT_DEN = 0, 1, 2, 3, 4, 5
T_MIN_AMOUNT, T_MAX_AMOUNT, T_MIN_COST, T_MAX_COST = 6, 7, 8, 9


class Sizes(NamedTuple):
    """Exposures of a sized strategy, (pairs, candles), decided at each close; unused if not `sized`."""

    sized: bool
    band: float
    opening: Floats
    grow_to: Floats
    shrink_to: Floats


# State of one pair's open trade; a flat pair has AMOUNT 0.
AMOUNT = 0  # perp base units, >= 0 (short)
OPEN_ROW = 1
TAG = 2  # 1: carry, 2: roll
LEVERAGE = 3
STAKE = 4  # freqtrade's stake_amount: margin at entry prices
OPEN_RATE = 5
LIQUIDATION = 6
PRICE_NUM = 7
PRICE_DEN = 8
ENTRY_VALUE = 9  # raw entry value of the open perp quantity
SPOT_QTY = 10
SPOT_COST = 11
NET = 12  # ledger: realized price P&L + funding - costs
REALIZED = 13  # of it what freqtrade knows itself: raw perp P&L - perp fees
NOTIONAL = 14  # of all entries
LAST_ROW = 15  # of the last fill
FT_PROFIT = 16  # freqtrade's realized profit: sum over exits, each rounded to 1e-8
FT_ENTERED = 17  # sum over entries of value less fee
FT_BOOKED = 18  # cash booked up to the last exit
# The books before the present instant, and the fills of that instant: fills of one instant are netted.
BEFORE = 19  # then AMOUNT, ENTRY_VALUE, SPOT_QTY, SPOT_COST, NET, REALIZED, NOTIONAL of before
IN_QTY = 26
IN_VALUE = 27
OUT_QTY = 28
OUT_VALUE = 29
AT_OPEN = 30
TRADE = 31  # its number, counted by opening
FULL_QTY = 32  # base units at exposure 1
STOP = 33  # freqtrade's own stop on the perp
TRAILING = 34  # 1: the stop was lowered by a later entry
STATE_WIDTH = 35
STOP_LOSS = 0.99  # HedgedStrategy.stoploss: of the margin

# Record of one closed trade.
R_PAIR = 0
R_OPEN_ROW = 1
R_CLOSE_ROW = 2
R_AMOUNT = 3
R_STAKE = 4
R_LEVERAGE = 5
R_OPEN_RATE = 6
R_CLOSE_RATE = 7
R_PROFIT = 8
R_RATIO = 9
R_REASON = 10
R_TAG = 11
R_TRADE = 12
RECORD_WIDTH = 13

TAG_CARRY, TAG_ROLL = 1, 2


class Signals(NamedTuple):
    """What one parameter set says at each candle's close, on the market's grid; made by `signals_at`."""

    entry: Bools  # (pairs, candles)
    hold: Bools  # (pairs, candles)
    known: Bools  # (pairs, candles)
    fillable: Bools  # (pairs, candles)
    openings: Ints  # rows at whose open a pair that is not held may be opened, ascending


def signals_at(entry: Bools, hold: Bools, known: Bools, fillable: Bools) -> Signals:
    """Return the signals with the rows that can open anything, one after the candle that says so."""
    openings = np.flatnonzero((entry & hold & fillable).any(axis=0)) + 1
    return Signals(entry, hold, known, fillable, openings)


class Reason(IntEnum):
    """Exit reasons as the kernel numbers them, in the order of `carry.rules.decide_exit`."""

    NONE = 0
    ROLL = 1
    STOP_LOSS = 2
    TAKE_PROFIT = 3
    FUNDING_FLIPPED = 4
    AFTER_SETTLEMENT = 5
    MAXIMUM_HOLDING = 6
    HOLDING_WINDOW = 7
    SIGNAL_OFF = 8
    LIQUIDATION = 9
    FORCE_EXIT = 10
    PERP_STOP = 11
    PERP_TRAILING_STOP = 12


# What the kernel could not do.
OK, FULL, STAKE_TOO_HIGH, NOT_OPENED = 0, 1, 2, 3
