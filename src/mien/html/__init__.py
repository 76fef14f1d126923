"""HTML output: one Jinja2 environment, one style sheet, and the components that all pages use.

::

    environment.py  the Jinja2 environment, created on first use; style sheet; components that return HTML
    templates/      page.html (a standalone page), macros.html (components), and the pages of other packages
    icons.py        the strokes of one icon per expression
    images.py       images inside a page, as data URIs

Templates escape every value; HTML goes in as ``markupsafe.Markup``. The Python functions return HTML as ``str``:
their parameters are plain text, except those named ``html`` or documented as HTML.
"""

from mien.html.environment import bar as bar
from mien.html.environment import expression_name as expression_name
from mien.html.environment import figure as figure
from mien.html.environment import footer as footer
from mien.html.environment import icon_svg as icon_svg
from mien.html.environment import image_tag as image_tag
from mien.html.environment import note as note
from mien.html.environment import render as render
from mien.html.environment import render_page as render_page
from mien.html.environment import style_colours as style_colours
from mien.html.environment import style_sheet as style_sheet
from mien.html.environment import table as table
from mien.html.environment import tile as tile
from mien.html.environment import tiles as tiles
from mien.html.images import data_uri as data_uri
