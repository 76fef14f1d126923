"""Learning-rate schedules, early stopping and the best epoch."""

from dataclasses import replace

import pytest

from mien.training import schedule
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings

SETTINGS = TrainingSettings(epochs=10, learning_rate=0.1, warmup=2.0)


def rows(*values):
    return [{"epoch": epoch, "validation_accuracy": value} for epoch, value in enumerate(values, start=1)]


def test_cosine_rises_in_the_warmup_and_falls_to_zero():
    rates = [schedule.scheduled_rate(SETTINGS, epoch, []) for epoch in (0, 1, 2, 6, 10)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0])


def test_steps_divide_by_ten():
    settings = replace(SETTINGS, schedule="steps")
    rates = [schedule.scheduled_rate(settings, epoch, []) for epoch in (4.9, 5, 7.5)]
    assert rates == pytest.approx([0.1, 0.01, 0.001])


def test_plateau_halves_the_rate_after_patience():
    settings = replace(SETTINGS, schedule="plateau", patience=2, warmup=0.0)
    histories = [(), (0.5, 0.5), (0.5, 0.5, 0.4), (0.5, 0.4, 0.4, 0.6, 0.5), (0.5, 0.4, 0.4, 0.4, 0.4)]
    rates = [schedule.scheduled_rate(settings, 5, rows(*values)) for values in histories]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


def test_plateau_ignores_epochs_without_the_metric():
    settings = replace(SETTINGS, schedule="plateau", patience=1, warmup=0.0)
    assert schedule.scheduled_rate(settings, 5, [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]) == 0.1


def test_constant_schedule():
    assert schedule.scheduled_rate(replace(SETTINGS, schedule="constant"), 9.9, rows(0.1)) == 0.1


def test_pretrained_network_has_two_phases():
    settings = TrainingSettings(epochs=10, learning_rate=0.1, warmup=0.0, frozen_epochs=2, fine_tune_rate=0.1)
    recipe = Recipe(net=NetworkSettings(weights="run"), training=settings)
    rates = [schedule.learning_rate(recipe, epoch, []) for epoch in (0, 1.9, 2, 6, 10)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.005, 0])
    from_scratch = replace(recipe, net=NetworkSettings())
    assert schedule.count_frozen_epochs(from_scratch) == 0
    assert schedule.learning_rate(from_scratch, 0, []) == pytest.approx(0.1)


def test_run_is_finished_after_its_epochs_or_without_improvement():
    assert not schedule.is_finished(SETTINGS, rows(*[0.5] * 9))
    assert schedule.is_finished(SETTINGS, rows(*[0.5] * 10))
    settings = replace(SETTINGS, early_stopping=3)
    assert not schedule.is_finished(settings, [])
    assert not schedule.is_finished(settings, rows(0.4, 0.5, 0.5, 0.4))
    assert schedule.is_finished(settings, rows(0.4, 0.5, 0.5, 0.4, 0.3))


def test_best_epoch_is_the_first_of_equal_ones():
    assert schedule.best_epoch(rows(0.1, 0.5, 0.5)) == 2
    assert schedule.best_epoch([{"epoch": 1}, {"epoch": 2}]) == 2
    assert schedule.best_epoch([]) == 0
