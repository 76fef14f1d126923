"""Figures: every kind can be drawn, becomes a file, and leaves matplotlib as it was."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

mpl = pytest.importorskip("matplotlib")

from io import BytesIO  # noqa: E402

from mien import plots  # noqa: E402
from mien.labels import EMOTIONS, label_colour  # noqa: E402
from mien.plots import style  # noqa: E402


def line(name="happy", mean=False):
    return plots.PlotCurve(name, np.array([0, 0.2, 1]), np.array([0, 0.9, 1]), 0.85, mean)


def mistake(**votes):
    return plots.Mistake(np.arange(2304, dtype=np.uint8).reshape(48, 48), "sad", "happy", 0.97, 0.01, votes)


RAMP = np.linspace(0, 1, 50)
KINDS = {
    "roc": lambda: plots.plot_roc([line(), line("all (micro)", True), line("mean (macro)", True)]),
    "precision_recall": lambda: plots.plot_precision_recall([line(), line("fear")]),
    "reliability": lambda: plots.plot_reliability(RAMP, RAMP**2, 0.1, RAMP),
    "coverage": lambda: plots.plot_coverage(RAMP[1:], 1 - RAMP[1:] / 2),
    "confusion": lambda: plots.plot_confusion(np.arange(49).reshape(7, 7), EMOTIONS),
    "confusion_shares": lambda: plots.plot_confusion(np.diag([3, 0]), ("yes", "no"), shares=True),
    "mistakes": lambda: plots.plot_mistakes([mistake(sad=6, unknown=3, **{"no face": 1}), mistake()]),
    "no_mistakes": lambda: plots.plot_mistakes([]),
    "history": lambda: plots.plot_history({"training": [3, 2, 1], "held out": [3, 2.5]}, "Loss", best="held out"),
    "one_epoch": lambda: plots.plot_history({"held out": [0.5]}, "Accuracy", shares=True, best="held out"),
    "runs": lambda: plots.plot_runs({"one": [{"loss": 2.0, "held_out": 0.3}], "two": [{"loss": 1.0}, {"loss": 0.5}]}),
    "network": lambda: plots.plot_network(
        [
            plots.NetworkStage(48, 1, ("rescale",)),
            plots.NetworkStage(0, 128, ("dense",) * 12),
            plots.NetworkStage(0, 7, ("shares",), True),
        ],
        "a net",
        "so many parameters",
    ),
    "speed": lambda: plots.plot_accuracy_and_speed([plots.ModelPoint("base", 2, 0.7, 0.68, 0.72, 3)] * 7),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_becomes_a_picture_and_a_part_of_a_page_and_leaves_no_trace(kind):
    before = dict(mpl.rcParams)
    figure = KINDS[kind]()
    drawn = np.asarray(Image.open(BytesIO(plots.render_png(figure))).convert("L"))
    assert min(drawn.shape) > 90
    assert drawn.std() > 1
    page = ET.fromstring(plots.render_svg(figure, 'a "figure" <of> faces'))
    assert page.get("aria-label") == 'a "figure" <of> faces'
    assert page.get("viewBox")
    assert dict(mpl.rcParams) == before


def test_the_settings_of_the_caller_change_no_figure():
    plain = plots.render_png(KINDS["roc"]())
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "blue"}):
        assert plots.render_png(KINDS["roc"]()) == plain


def test_a_page_colours_the_ink_of_a_figure():
    drawn = plots.render_svg(KINDS["roc"]())
    assert "var(--ink)" in drawn
    assert not any(hue in drawn for hue in (style.INK, style.GRID, style.PAPER))


def test_an_expression_has_its_colour_in_every_figure():
    assert label_colour("happy") in plots.render_svg(KINDS["roc"]())
    assert label_colour("sad") in plots.render_svg(KINDS["mistakes"]())


def test_the_same_numbers_give_the_same_file():
    assert plots.render_png(KINDS["confusion"]()) == plots.render_png(KINDS["confusion"]())
    assert plots.render_svg(KINDS["confusion"]()) == plots.render_svg(KINDS["confusion"]())


def test_right_and_wrong_differ_in_the_matrix():
    right, wrong = (
        plots.render_svg(plots.plot_confusion(np.eye(2, dtype=int) * 5, "ab")),
        plots.plot_confusion(np.ones((2, 2), int), "ab"),
    )
    assert style.WRONG in plots.render_svg(wrong)
    assert style.RIGHT in right


def test_a_sheet_ranks_what_people_said():
    from mien.plots.evaluation import rank_votes

    assert rank_votes({"sad": 2, "happy": 0, "fear": 7}) == [("fear", 7), ("sad", 2)]


def test_the_names_of_near_models_do_not_lie_on_each_other():
    figure = plots.plot_accuracy_and_speed(
        [plots.ModelPoint(name, 2, 0.7, 0.68, 0.72, 3) for name in ("base", "small", "large")]
    )
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_without_matplotlib_the_sentence_has_the_command():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from mien.errors import MissingExtra\n"
        "try:\n    import mien.plots\nexcept MissingExtra as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'pip install ".[lab]"' in out
