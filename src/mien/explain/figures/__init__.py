"""An explanation as pictures: RGB uint8, drawn with Pillow and OpenCV alone, in one style, no word cut off.

::

    paper.py    titles, sentences and small print around what is drawn; letters are measured first
    tones.py    the colours of maps, for every eye
    faces.py    the drawn face of each expression
    maps.py     feature maps, poolings, and every layer at a glance
    answer.py   softmax, the sum behind it, where the network's numbers are
    responses.py  what a channel responds to
    numbers.py  the faces of a picture, numbered
    where.py    where it looked, the filters, what a place sees
"""

from mien.explain.figures.evidence import draw_evidence_maps as draw_evidence_maps
from mien.explain.figures.evidence import draw_kernels as draw_kernels
from mien.explain.figures.evidence import draw_receptive_fields as draw_receptive_fields
from mien.explain.figures.feature_maps import draw_feature_maps as draw_feature_maps
from mien.explain.figures.feature_maps import draw_layers as draw_layers
from mien.explain.figures.feature_maps import draw_top_activating as draw_top_activating
from mien.explain.figures.scores import draw_contributions as draw_contributions
from mien.explain.figures.scores import draw_costs as draw_costs
from mien.explain.figures.scores import draw_softmax as draw_softmax
