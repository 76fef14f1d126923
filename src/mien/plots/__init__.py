"""Every figure in one style: plain numbers in, a matplotlib Figure out; ``png`` and ``svg`` make files of it.

Needs the extra ``lab``; importing it without matplotlib is a MissingExtra. No window is opened and no setting changed.
"""

from mien.errors import MissingExtra, install_command

try:
    import matplotlib as matplotlib
except ImportError:
    raise MissingExtra(
        "Figures need matplotlib, which is not installed", "The extra 'lab' brings it", f"Run {install_command('lab')}"
    ) from None

from mien.plots.evaluation import Curve as Curve
from mien.plots.evaluation import Mistake as Mistake
from mien.plots.evaluation import confusion as confusion
from mien.plots.evaluation import coverage as coverage
from mien.plots.evaluation import mistakes as mistakes
from mien.plots.evaluation import precision_recall as precision_recall
from mien.plots.evaluation import reliability as reliability
from mien.plots.evaluation import roc as roc
from mien.plots.network import Stage as Stage
from mien.plots.network import network as network
from mien.plots.robustness import Dot as Dot
from mien.plots.robustness import Panel as Panel
from mien.plots.robustness import groups as groups
from mien.plots.robustness import strength as strength
from mien.plots.robustness import strengths as strengths
from mien.plots.style import png as png
from mien.plots.style import styled as styled
from mien.plots.style import svg as svg
from mien.plots.training import Rival as Rival
from mien.plots.training import accuracy_and_speed as accuracy_and_speed
from mien.plots.training import history as history
from mien.plots.training import importance as importance
from mien.plots.training import runs as runs
from mien.plots.training import trials as trials
