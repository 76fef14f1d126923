"""Evaluation of models on labelled faces: metrics, calibration, comparison, robustness, groups and audits of maps."""
