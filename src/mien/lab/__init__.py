"""The laboratory: data, nets, training, evaluation and export. Needs the extras ``lab`` and ``train``."""
