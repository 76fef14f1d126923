"""The rate over a run, and its end: from the recipe and the epochs done alone."""

from dataclasses import replace

import pytest

from mien.errors import ExperimentError
from mien.training import schedule
from mien.training.recipe import TrainingSettings

FIT = TrainingSettings(epochs=10, learning_rate=0.1, warmup=2.0)


def rows(*figures):
    return [{"epoch": number, "held_out": figure} for number, figure in enumerate(figures, start=1)]


def test_the_rate_rises_in_the_warm_up_then_falls_to_nothing():
    rates = [schedule.rate_at(FIT, epoch, []) for epoch in (0, 1, 2, 6, 10)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0])


def test_steps_divide_by_ten():
    fit = replace(FIT, schedule="steps")
    assert [schedule.rate_at(fit, epoch, []) for epoch in (4.9, 5, 7.5)] == pytest.approx([0.1, 0.01, 0.001])


def test_a_plateau_halves_the_rate_after_patience():
    fit = replace(FIT, schedule="plateau", patience=2, warmup=0.0)
    rates = [schedule.rate_at(fit, 5, rows(*figures)) for figures in ((), (0.5, 0.5), (0.5, 0.5, 0.4))]
    assert rates == pytest.approx([0.1, 0.1, 0.05])
    assert schedule.rate_at(fit, 5, rows(0.5, 0.4, 0.4, 0.6, 0.5)) == pytest.approx(0.05)
    assert schedule.rate_at(fit, 5, rows(0.5, 0.4, 0.4, 0.4, 0.4)) == pytest.approx(0.025)


def test_a_plateau_is_none_where_no_figure_is_known():
    fit = replace(FIT, schedule="plateau", patience=1, warmup=0.0)
    assert schedule.rate_at(fit, 5, [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]) == 0.1


def test_what_goes_by_the_held_out_faces_is_known():
    assert schedule.judged(FIT) == {}
    judged = schedule.judged(replace(FIT, schedule="plateau", early_stopping=4, keep="best"))
    assert judged == {
        "training.schedule=plateau": "training.schedule=cosine",
        "training.early_stopping=4": "training.early_stopping=0",
        "training.keep=best": "training.keep=last",
    }


def test_a_constant_rate_stays():
    assert schedule.rate_at(replace(FIT, schedule="constant"), 9.9, rows(0.1)) == 0.1


def test_an_unknown_schedule_names_the_nearest():
    with pytest.raises(ExperimentError, match=r"no schedule 'cosinus'.*Did you mean 'cosine'"):
        schedule.rate_at(replace(FIT, schedule="cosinus"), 3, [])


def test_a_run_ends_after_its_epochs_or_when_nothing_gets_better():
    assert not schedule.ended(FIT, rows(*[0.5] * 9))
    assert schedule.ended(FIT, rows(*[0.5] * 10))
    patient = replace(FIT, early_stopping=3)
    assert not schedule.ended(patient, [])
    assert not schedule.ended(patient, rows(0.4, 0.5, 0.5, 0.4))
    assert schedule.ended(patient, rows(0.4, 0.5, 0.5, 0.4, 0.3))


def test_the_best_epoch_is_the_first_of_the_best():
    assert schedule.best(rows(0.1, 0.5, 0.5)) == 2
    assert schedule.best([{"epoch": 1}, {"epoch": 2}]) == 2
    assert schedule.best([]) == 0
