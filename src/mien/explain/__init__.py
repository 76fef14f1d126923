"""Explanations: activations of all layers, evidence maps (CAM, occlusion, RISE), counterfactual, contributions."""

from mien.explain.explanation import Activations as Activations
from mien.explain.explanation import Contribution as Contribution
from mien.explain.explanation import Counterfactual as Counterfactual
from mien.explain.explanation import Explanation as Explanation
from mien.explain.explanation import Kernels as Kernels
from mien.explain.explanation import Layer as Layer
from mien.explain.explanation import LayerCost as LayerCost
from mien.explain.explanation import Placement as Placement
from mien.explain.explanation import ReceptiveField as ReceptiveField
from mien.explain.explanation import Regions as Regions
from mien.explain.explanation import Saliency as Saliency
