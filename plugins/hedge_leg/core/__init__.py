"""The pure core: no I/O, no clock, no chance, no freqtrade, no float for quantities."""
