"""The shape that all HTML pages share: one style sheet, one frame around the page, and the small pieces of one.

::

    sheet.py      the style sheet, with the expressions' colours
    whole.py      a page that stands by itself: its own style, nothing fetched from anywhere
    pieces.py     tiles, figures, tables, labels
    icons.py      a small drawn face for each expression
    pictures.py   pictures inside a page, as data addresses

Pieces are strings of HTML. What comes from outside is escaped by the piece that takes it as plain ``text``; arguments
called ``html`` go in as they are.
"""

from mien.pages.icons import icon as icon
from mien.pages.pictures import address as address
from mien.pages.pictures import picture as picture
from mien.pages.pieces import bar as bar
from mien.pages.pieces import figure as figure
from mien.pages.pieces import footer as footer
from mien.pages.pieces import named as named
from mien.pages.pieces import note as note
from mien.pages.pieces import percent as percent
from mien.pages.pieces import table as table
from mien.pages.pieces import tile as tile
from mien.pages.pieces import tiles as tiles
from mien.pages.sheet import sheet as sheet
from mien.pages.sheet import tones as tones
from mien.pages.whole import whole as whole
