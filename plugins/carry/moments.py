"""Count, mean and standard deviation of trailing windows, vectorized and numerically safe.

The array is cut into blocks as long as the window; a window is the tail of one block plus the head of
the next. Heads and tails are running sums about one of their own elements, which bounds the
cancellation by the count, and are joined by Chan, Golub & LeVeque (1979):
M2 = M2a + M2b + d^2 na nb / (na + nb). Only elements of the window enter its result: unlike a running
sum that adds and removes, an outlier leaves no trace once it is out.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def window_moments(values: Floats, width: int, offset: int = 0) -> tuple[Ints, Floats, Floats]:
    """Return count, mean and population std of the valid values of each trailing window.

    `values`: float64 (n,), NaN = invalid. Result arrays (n,): entry i covers values[i-width+1 .. i],
    shorter at the start; mean and std are NaN where the count is 0. `offset` is the position of
    values[0] on an absolute grid: blocks are cut there, which makes results equal bit for bit however
    much history precedes the window.
    """
    lead = offset % width
    blocks = -(-(lead + len(values)) // width)
    padded = np.full(blocks * width, np.nan)
    padded[lead : lead + len(values)] = values
    grid: Floats = padded.reshape(blocks, width)
    head_n, head_at, head_sum, head_square = _running_sums(grid)
    tail = [np.zeros((blocks, width)) for _ in range(4)]
    # the window that ends at column k of a block holds columns k+1.. of the block before
    for target, source in zip(tail, _running_sums(grid[:, ::-1]), strict=True):
        target[1:, :-1] = source[:-1, ::-1][:, 1:]
    tail_n, tail_at, tail_sum, tail_square = tail
    count = head_n + tail_n
    with np.errstate(divide="ignore", invalid="ignore"):
        both = (head_n > 0) & (tail_n > 0)
        origin = np.where(head_n > 0, head_at, tail_at)
        shift = np.where(both, tail_at - head_at, 0.0)
        mean = origin + (head_sum + tail_sum + tail_n * shift) / count
        head_m2 = np.where(head_n > 0, head_square - head_sum**2 / head_n, 0.0)
        tail_m2 = np.where(tail_n > 0, tail_square - tail_sum**2 / tail_n, 0.0)
        apart = np.where(both, shift + tail_sum / tail_n - head_sum / head_n, 0.0)
        m2 = head_m2 + tail_m2 + apart**2 * head_n * tail_n / count
        std = np.sqrt(np.maximum(m2, 0.0) / count)
    picked = slice(lead, lead + len(values))
    return count.ravel()[picked].astype(np.int64), mean.ravel()[picked], std.ravel()[picked]


def _running_sums(grid: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return count, origin, sum and sum of squares about it, running along each row of `grid`.

    The origin is the row's first valid value, 0 before there is one.
    """
    valid = ~np.isnan(grid)
    origin = np.nan_to_num(np.take_along_axis(grid, valid.argmax(axis=1)[:, None], axis=1))
    away = np.where(valid, grid - origin, 0.0)
    count = np.cumsum(valid, axis=1, dtype=np.float64)
    return (
        count,
        np.where(count > 0, origin, 0.0),
        np.cumsum(away, axis=1),
        np.cumsum(away * away, axis=1),
    )
