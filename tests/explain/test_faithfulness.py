"""Deletion and insertion curves, baselines and rank correlation, on a score that depends on one square."""

import numpy as np
import pytest

from mien.explain.faithfulness import (
    BLOCKS,
    STEPS,
    area_under_curve,
    bootstrap_mean,
    centre_baseline,
    compute_curves,
    edge_baseline,
    random_baseline,
    rank_correlation,
)

SIDE = 24
FACE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 1)).astype(np.uint8)
SQUARE = np.s_[8:10, 8:10]


def score_square(faces):
    """1 for the unchanged square, 0 for another one."""
    same = (faces[:, SQUARE[0], SQUARE[1]] == FACE[SQUARE]).all(axis=(1, 2, 3))
    return np.stack([same, ~same], axis=1).astype(np.float32)


def test_map_of_the_square_deletes_it_first_and_inserts_it_first():
    saliency = np.zeros((SIDE, SIDE), np.float32)
    saliency[SQUARE] = 1
    curves = compute_curves(score_square, FACE, saliency, 0)
    assert curves.deletion.tolist() == [1] + [0] * STEPS
    assert curves.insertion.tolist() == [0] + [1] * STEPS
    deletion, insertion = curves.areas
    assert (deletion, insertion) == (pytest.approx(0.5 / STEPS), pytest.approx(1 - 0.5 / STEPS))


def test_map_without_the_square_is_worse():
    saliency = np.ones((SIDE, SIDE), np.float32)
    saliency[SQUARE] = 0
    deletion, insertion = compute_curves(score_square, FACE, saliency, 0).areas
    assert (deletion, insertion) == (pytest.approx(1 - 0.5 / STEPS), pytest.approx(0.5 / STEPS))


def test_area_under_curve_is_the_mean_height():
    assert area_under_curve(np.array([1.0, 0.5, 0.0])) == pytest.approx(0.5)


def test_rank_correlation_compares_the_order_of_the_squares():
    values = np.arange(BLOCKS**2, dtype=np.float32).reshape(BLOCKS, BLOCKS)
    assert rank_correlation(values, values**2) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, np.zeros_like(values)) == 0


def test_baselines_do_not_depend_on_the_network():
    assert np.unravel_index(centre_baseline(25).argmax(), (25, 25)) == (12, 12)
    assert np.array_equal(random_baseline(SIDE, 3), random_baseline(SIDE, 3))
    step = np.zeros((SIDE, SIDE, 1), np.uint8)
    step[:, SIDE // 2 :] = 255
    assert edge_baseline(step)[SIDE // 2].argmax() in (SIDE // 2 - 1, SIDE // 2)


def test_bootstrap_interval_contains_the_mean():
    mean, low, high = bootstrap_mean([0.1, 0.2, 0.3, 0.4])
    assert mean == pytest.approx(0.25)
    assert low < mean < high
