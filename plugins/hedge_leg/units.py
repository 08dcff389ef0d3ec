"""Units of settings whose names do not say them (`_sec`, `_bps`, ... do); the reference shows them."""

from typing import Annotated

Fraction = Annotated[float, "fraction"]
Quote = Annotated[float, "quote"]
