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

from mien.explain.pictures.answer import contributions as contributions
from mien.explain.pictures.answer import costs as costs
from mien.explain.pictures.answer import softmax as softmax
from mien.explain.pictures.maps import activations as activations
from mien.explain.pictures.maps import maps as maps
from mien.explain.pictures.responses import responses as responses
from mien.explain.pictures.where import kernels as kernels
from mien.explain.pictures.where import reach as reach
from mien.explain.pictures.where import where as where
