"""Figures of an explanation: RGB uint8 images in one style, drawn with Pillow and OpenCV alone.

::

    evidence.py      evidence maps over the crop and the image; an image with numbered faces
    feature_maps.py  feature maps, pooled values, all layers, receptive fields, kernels, top activating faces
    scores.py        softmax, contributions to a logit, parameters and multiply-adds
    colormaps.py     the colour scales
    canvas.py        text that is measured before it is drawn, the layout of a figure, and icons
"""

from mien.explain.figures.canvas import use_dark_colours as use_dark_colours
from mien.explain.figures.evidence import draw_evidence_maps as draw_evidence_maps
from mien.explain.figures.evidence import number_faces as number_faces
from mien.explain.figures.feature_maps import draw_feature_maps as draw_feature_maps
from mien.explain.figures.feature_maps import draw_kernels as draw_kernels
from mien.explain.figures.feature_maps import draw_layers as draw_layers
from mien.explain.figures.feature_maps import draw_receptive_fields as draw_receptive_fields
from mien.explain.figures.feature_maps import draw_top_activating as draw_top_activating
from mien.explain.figures.scores import draw_contributions as draw_contributions
from mien.explain.figures.scores import draw_costs as draw_costs
from mien.explain.figures.scores import draw_softmax as draw_softmax
