"""How the kernel is compiled: once per version of its sources, kept beside the package.

numba keeps compiled code as long as the function's own file is unchanged, but the kernel's constants and
helpers lie in other files. So the folder of the kept code is named by the sources of all of them.

Counting references to the tables took half of the kernel's time. `compiled` leaves it out: such a function
must not make an array (views of those it is given are fine); one that has to is `allocating`.
"""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., Any])
_HERE = Path(__file__).parent
_OTHERS = ("compiling.py", "decimals.py", "layout.py", "market.py")
_SOURCES = sorted([*(_HERE / name for name in _OTHERS), *_HERE.glob("kernel*.py")])
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:12]
_KEPT_IN = _HERE / "__pycache__" / f"kernel-{_DIGEST}"

# Decimal sums of a resize are left to Python; numba warns of threads, of which there are none.
warnings.filterwarnings("ignore", message="Code running in object mode won't allow parallel")


def compiled(function: Function) -> Function:
    """Compile a function that makes no array, at its first call."""
    return _made(function, _nrt=False)


def inlined(function: Function) -> Function:
    """Compile a function that makes no array into each of its callers: calls with many tables cost more."""
    return _made(function, _nrt=False, inline="always")


def allocating(function: Function) -> Function:
    """Compile a function that makes arrays, at its first call."""
    return _made(function, _nrt=True)  # else its caller decides


def _made(function: Function, **options: Any) -> Function:
    """Compile with the kernel's folder for kept code; where that is read-only, numba chooses another."""
    settings: Any = config  # its names are set when it is loaded
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(_KEPT_IN)
    try:
        made: Function = njit(cache=True, error_model="numpy", **options)(function)
    finally:
        settings.CACHE_DIR = before
    return made
