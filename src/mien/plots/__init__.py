"""Plots in one style: plain numbers in, a matplotlib Figure out; ``render_png`` and ``render_svg`` make files of it.

Needs the extra ``lab``: importing it without matplotlib raises MissingExtra. No window opens and no setting changes.
"""

from mien.errors import MissingExtra, install_command

try:
    import matplotlib as matplotlib
except ImportError:
    raise MissingExtra(
        "Figures need matplotlib, which is not installed", "The extra 'lab' brings it", f"Run {install_command('lab')}"
    ) from None

from mien.plots.evaluation import CorruptionPanel as CorruptionPanel
from mien.plots.evaluation import GroupInterval as GroupInterval
from mien.plots.evaluation import Mistake as Mistake
from mien.plots.evaluation import PlotCurve as PlotCurve
from mien.plots.evaluation import plot_agreement as plot_agreement
from mien.plots.evaluation import plot_confusion as plot_confusion
from mien.plots.evaluation import plot_corruption as plot_corruption
from mien.plots.evaluation import plot_corruptions as plot_corruptions
from mien.plots.evaluation import plot_coverage as plot_coverage
from mien.plots.evaluation import plot_deletion as plot_deletion
from mien.plots.evaluation import plot_groups as plot_groups
from mien.plots.evaluation import plot_insertion as plot_insertion
from mien.plots.evaluation import plot_mistakes as plot_mistakes
from mien.plots.evaluation import plot_precision_recall as plot_precision_recall
from mien.plots.evaluation import plot_reliability as plot_reliability
from mien.plots.evaluation import plot_roc as plot_roc
from mien.plots.evaluation import plot_weight_randomization as plot_weight_randomization
from mien.plots.network import NetworkStage as NetworkStage
from mien.plots.network import plot_network as plot_network
from mien.plots.style import assign_colours as assign_colours
from mien.plots.style import render_png as render_png
from mien.plots.style import render_svg as render_svg
from mien.plots.style import with_style as with_style
from mien.plots.training import ModelPoint as ModelPoint
from mien.plots.training import plot_accuracy_and_speed as plot_accuracy_and_speed
from mien.plots.training import plot_history as plot_history
from mien.plots.training import plot_importance as plot_importance
from mien.plots.training import plot_rules as plot_rules
from mien.plots.training import plot_runs as plot_runs
from mien.plots.training import plot_trials as plot_trials
