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

from mien.explain.figures.evidence import kernels as kernels
from mien.explain.figures.evidence import reach as reach
from mien.explain.figures.evidence import where as where
from mien.explain.figures.feature_maps import activations as activations
from mien.explain.figures.feature_maps import maps as maps
from mien.explain.figures.feature_maps import responses as responses
from mien.explain.figures.scores import contributions as contributions
from mien.explain.figures.scores import costs as costs
from mien.explain.figures.scores import softmax as softmax
