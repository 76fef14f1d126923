"""WHY does the model say so? Its layers on one face, where it looked, and what would change its answer."""

from mien.explain.explanation import Contribution as Contribution
from mien.explain.explanation import Cost as Cost
from mien.explain.explanation import Explanation as Explanation
from mien.explain.explanation import Flip as Flip
from mien.explain.explanation import Kernels as Kernels
from mien.explain.explanation import Layer as Layer
from mien.explain.explanation import Look as Look
from mien.explain.explanation import Placing as Placing
from mien.explain.explanation import Reach as Reach
from mien.explain.explanation import Regions as Regions
from mien.explain.explanation import Saliency as Saliency
