"""What moments become over time: steadied shares, events, a summary for each person, a page.

The room knows no film and no model: it takes :class:`mien.types.Moment` values, from wherever they come, and a judge,
which is the rules of a model's card (``partial(emotions_of, card)``).
"""

from mien.moments.baseline import Baseline as Baseline
from mien.moments.events import Event as Event
from mien.moments.events import Events as Events
from mien.moments.record import Record as Record
from mien.moments.record import Told as Told
from mien.moments.steady import Steadier as Steadier
from mien.moments.timeline import Timeline as Timeline
