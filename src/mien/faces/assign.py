"""Who gets what at the least cost: the Hungarian method, for the handful of faces in a frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The pairs (row, column) whose costs add up to the least; infinite costs are never paired.

    As many pairs as possible come first, then the least sum.
    """
    if not costs.size:
        return []
    allowed = np.isfinite(costs)
    # One forbidden pair costs more than all allowed ones together: it is taken only where nothing else is left.
    worst = float(np.abs(costs[allowed]).sum()) + 1.0 if allowed.any() else 1.0
    filled = np.where(allowed, costs, worst)
    turned = filled.shape[0] > filled.shape[1]
    pairs = [(row, column) for column, row in _rows_to_columns(filled.T if turned else filled).items()]
    pairs = [(column, row) for row, column in pairs] if turned else pairs
    return sorted((row, column) for row, column in pairs if allowed[row, column])


def _rows_to_columns(costs: NDArray[np.float64]) -> dict[int, int]:
    """Column to row, for no more rows than columns: shortest augmenting paths with potentials, O(n^3)."""
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    owner = np.full(columns + 1, -1)  # the last column is where a new row begins
    for row in range(rows):
        owner[columns] = row
        came_from, end = _path(costs, owner, row_price, column_price)
        while end != columns:
            owner[end] = owner[came_from[end]]
            end = came_from[end]
    return {column: int(owner[column]) for column in range(columns) if owner[column] >= 0}


def _path(
    costs: NDArray[np.float64],
    owner: NDArray[np.int64],
    row_price: NDArray[np.float64],
    column_price: NDArray[np.float64],
) -> tuple[NDArray[np.int64], int]:
    """The cheapest way to a free column, as the column before each; prices are brought up to date on the way."""
    columns = costs.shape[1]
    nearest, came_from = np.full(columns, np.inf), np.full(columns, columns)
    visited = np.zeros(columns + 1, bool)
    here = columns
    while owner[here] >= 0:
        visited[here] = True
        row = owner[here]
        reduced = costs[row] - row_price[row] - column_price[:columns]
        better = ~visited[:columns] & (reduced < nearest)
        nearest[better], came_from[better] = reduced[better], here
        open_ones = np.where(visited[:columns], np.inf, nearest)
        onward = int(open_ones.argmin())
        step = open_ones[onward]
        row_price[owner[visited]] += step
        column_price[visited] -= step
        nearest[~visited[:columns]] -= step
        here = onward
    return came_from, here
