"""Plots: every kind becomes a PNG and an SVG file and leaves the settings of matplotlib unchanged."""

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
from mien.plots.evaluation import rank_votes  # noqa: E402


def make_curve(name="happy", mean=False):
    return plots.PlotCurve(name, np.array([0, 0.2, 1]), np.array([0, 0.9, 1]), 0.85, mean)


def make_mistake(**votes):
    return plots.Mistake(np.arange(2304, dtype=np.uint8).reshape(48, 48), "sad", "happy", 0.97, 0.01, votes)


RAMP = np.linspace(0, 1, 50)
PANEL = plots.CorruptionPanel("blur", ["none", "1", "2"], {"base": [0.7, 0.6, 0.4], "small": [0.6, 0.5, 0.3]})
KINDS = {
    "roc": lambda: plots.plot_roc([make_curve(), make_curve("all (micro)", True), make_curve("mean (macro)", True)]),
    "precision_recall": lambda: plots.plot_precision_recall([make_curve(), make_curve("fear")]),
    "reliability": lambda: plots.plot_reliability(RAMP, RAMP**2, 0.1, RAMP),
    "coverage": lambda: plots.plot_coverage(RAMP[1:], 1 - RAMP[1:] / 2),
    "confusion": lambda: plots.plot_confusion(np.arange(49).reshape(7, 7), EMOTIONS),
    "confusion_normalized": lambda: plots.plot_confusion(np.diag([3, 0]), ("yes", "no"), normalized=True),
    "mistakes": lambda: plots.plot_mistakes([make_mistake(sad=6, unknown=3, **{"no face": 1}), make_mistake()]),
    "no_mistakes": lambda: plots.plot_mistakes([]),
    "history": lambda: plots.plot_history({"training": [3, 2, 1], "validation": [3, 2.5]}, "Loss", best="validation"),
    "one_epoch": lambda: plots.plot_history({"validation": [0.5]}, "Accuracy", percent=True, best="validation"),
    "runs": lambda: plots.plot_runs({"one": [{"loss": 2.0, "accuracy": 0.3}], "two": [{"loss": 1.0}, {"loss": 0.5}]}),
    "network": lambda: plots.plot_network(
        [
            plots.NetworkStage(48, 1, ("rescale",)),
            plots.NetworkStage(0, 128, ("dense",) * 12),
            plots.NetworkStage(0, 7, ("scores",), True),
        ],
        "a network",
        "number of parameters",
    ),
    "speed": lambda: plots.plot_accuracy_and_speed([plots.ModelPoint("base", 2, 0.7, 0.68, 0.72, 3)] * 7),
    "rules": lambda: plots.plot_rules(
        {"mean, 0": (0.7, 0.7), "mean, 1": (0.6, 0.9), "fitted, 1": (0.6, 0.8)}, "mean, 1"
    ),
    "corruption": lambda: plots.plot_corruption(PANEL),
    "corruptions": lambda: plots.plot_corruptions([PANEL] * 4),
    "groups": lambda: plots.plot_groups(
        {"age": {"base": [plots.GroupInterval("young", 0.6, 0.5, 0.7, 90)]}}, "accuracy"
    ),
    "importance": lambda: plots.plot_importance({"learning rate": 0.7, "dropout": 0.2}),
    "trials": lambda: plots.plot_trials([0.4, None, 0.6], [True, False, False]),
    "deletion": lambda: plots.plot_deletion({"cam": [1, 0.2, 0]}, {"random": [1, 0.5, 0]}),
    "insertion": lambda: plots.plot_insertion({"cam": [0, 0.8, 1]}, {"random": [0, 0.5, 1]}),
    "randomization": lambda: plots.plot_weight_randomization(["stage1", "stem"], {"cam": [0.4, 0.1]}, 0.5),
    "agreement": lambda: plots.plot_agreement({"cam": {"cam": 1, "rise": 0.4}, "rise": {"cam": 0.4, "rise": 1}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_plot_becomes_png_and_svg_and_changes_no_setting(kind):
    before = dict(mpl.rcParams)
    figure = KINDS[kind]()
    pixels = np.asarray(Image.open(BytesIO(plots.render_png(figure))).convert("L"))
    assert min(pixels.shape) > 90
    assert pixels.std() > 1
    svg = ET.fromstring(plots.render_svg(figure, 'a "figure" <of> faces'))
    assert svg.get("aria-label") == 'a "figure" <of> faces'
    assert svg.get("viewBox")
    assert dict(mpl.rcParams) == before


def test_settings_of_the_caller_change_no_plot():
    plain = plots.render_png(KINDS["precision_recall"]())
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "blue"}):
        assert plots.render_png(KINDS["precision_recall"]()) == plain


def test_svg_takes_its_ink_from_the_page():
    svg = plots.render_svg(KINDS["roc"]())
    assert "var(--ink)" in svg
    assert not any(colour in svg for colour in (style.INK, style.GRID, style.PAPER))


def test_expression_has_its_colour_in_every_plot():
    assert label_colour("happy") in plots.render_svg(KINDS["roc"]())
    assert label_colour("sad") in plots.render_svg(KINDS["mistakes"]())


def test_same_values_give_the_same_svg():
    assert plots.render_svg(KINDS["confusion_normalized"]()) == plots.render_svg(KINDS["confusion_normalized"]())


def test_confusion_matrix_distinguishes_correct_from_incorrect():
    correct = plots.render_svg(plots.plot_confusion(np.eye(2, dtype=int) * 5, "ab"))
    mixed = plots.render_svg(plots.plot_confusion(np.ones((2, 2), int), "ab"))
    assert style.BLUE in correct
    assert style.RED in mixed


def test_votes_are_ranked_and_empty_ones_are_omitted():
    assert rank_votes({"sad": 2, "happy": 0, "fear": 7}) == [("fear", 7), ("sad", 2)]


def test_names_of_models_with_equal_values_do_not_overlap():
    models = [plots.ModelPoint(name, 2, 0.7, 0.68, 0.72, 3) for name in ("base", "small", "large")]
    figure = plots.plot_accuracy_and_speed(models)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for index, one in enumerate(boxes) for other in boxes[:index])


def test_missing_matplotlib_names_the_command_that_installs_it():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from mien.errors import MissingExtra\n"
        "try:\n    import mien.plots\nexcept MissingExtra as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'pip install ".[lab]"' in out


def test_figure_of_synthetic_faces_says_so():
    figure = plots.plot_history({"training": [0.1, 0.9]}, "Accuracy by epoch", percent=True)
    plain = plots.render_png(figure)
    assert plots.render_png(figure, synthetic=True) != plain
    assert figure.get_supxlabel() == "synthetic faces"


def test_runs_have_the_same_colour_in_every_figure():
    colours = plots.assign_colours(["a", "b", "c"])
    rows = [{"validation_accuracy": 0.5, "accuracy": 0.4, "validation_loss": 1.0, "loss": 1.1}] * 2
    top = plots.plot_runs({"c": rows, "b": rows}, colours).axes[0]
    assert [line.get_color() for line in top.lines[::2]] == [colours["c"], colours["b"]]
    points = [plots.ModelPoint(name, 1.0, 0.7, 0.6, 0.8, 1.0) for name in "ba"]
    [ax] = plots.plot_accuracy_and_speed(points, colours).axes
    assert {text.get_text(): text.get_color() for text in ax.texts} == {"b": colours["b"], "a": colours["a"]}


def lab_of(colour):
    """CIE L*a*b* of ``#rrggbb``."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour))
    x, y, z = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.0888,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_any_two_colours_of_runs_differ_clearly():
    colours = list(plots.assign_colours("abcdef").values())
    distances = [np.linalg.norm(lab_of(a) - lab_of(b)) for i, a in enumerate(colours) for b in colours[:i]]
    assert min(distances) > 35
