"""What the command line lets one choose from; imports nothing heavy."""

from enum import StrEnum


class Sampler(StrEnum):
    """Who proposes the next sets."""

    TPE = "tpe"
    RANDOM = "random"
    GRID = "grid"


class Criterion(StrEnum):
    """What a training window is judged by; the formulas of user_data/hyperopts."""

    NET = "net"
    WORST = "worst"
    MEDIAN = "median"


class Backend(StrEnum):
    """Who runs the tasks."""

    LOCAL = "local"
    DASK = "dask"


class Engine(StrEnum):
    """`auto`: the sweep for strategies that it can express, freqtrade for others."""

    AUTO = "auto"
    FREQTRADE = "freqtrade"
