"""What the taps showed of one face: its layers, its logits, and where the last layer found its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain import cam
from mien.explain.anatomy import Anatomy, Part
from mien.explain.explanation import Contribution, Layer, Map
from mien.explain.head import Pooled
from mien.explain.layers import frozen, layer_of
from mien.explain.reach import Spread
from mien.types import Share


@dataclass(frozen=True, eq=False)
class Sight:
    """Tensors by name, as the face made them; ``anatomy`` says what they are."""

    anatomy: Anatomy
    tensors: Mapping[str, NDArray[Any]]

    @property
    def pooled(self) -> Pooled | None:
        """The end of a network that has exact class maps; None for another, and where nobody tapped it."""
        found = self.anatomy.pooled
        return found if found is not None and found.maps in self.tensors else None

    def layers(self, parts: Sequence[Part]) -> tuple[Layer, ...]:
        return tuple(layer_of(part, self.tensors[part.tensor]) for part in parts)

    def logits(self, tensor: str | None, labels: Sequence[str], temperature: float) -> tuple[Share, ...]:
        """As the network gave them: the temperature is folded into the last weights, and is taken out again."""
        if tensor is None or tensor not in self.tensors:
            return ()
        values = self.tensors[tensor].reshape(-1) * temperature
        return tuple(Share(label, round(float(value), 6)) for label, value in zip(labels, values, strict=True))

    def contributions(self, target: int) -> tuple[tuple[Contribution, ...], float]:
        """What each channel adds to the target's logit, the largest amounts first; and the bias."""
        if self.pooled is None:
            return (), 0.0
        places = self._places(self.pooled)
        means, weights = places.reshape(len(places), -1).mean(axis=1), self.pooled.weights[:, target]
        amounts = means * weights
        order = np.argsort(-np.abs(amounts), kind="stable").tolist()
        rows = (Contribution(k, float(means[k]), float(weights[k]), float(amounts[k])) for k in order)
        return tuple(rows), float(self.pooled.bias[target])

    def class_map(self, target: int, versus: int | None, side: int) -> Map:
        """The exact class activation map, laid over a crop of this side."""
        assert self.pooled is not None, "asked for only where there are maps"
        coarse = cam.evidence(self.pooled, self._places(self.pooled), target, versus)
        laid = cam.on_crop(coarse, self._spread(self.pooled).reach, side)
        return frozen(laid if versus is not None else np.maximum(laid, 0))

    def _places(self, pooled: Pooled) -> NDArray[np.float32]:
        maps = self.tensors[pooled.maps][0]
        return np.asarray(maps.transpose(2, 0, 1) if self._spread(pooled).channels == 3 else maps, np.float32)

    def _spread(self, pooled: Pooled) -> Spread:
        spread = self.anatomy.spread(pooled.maps)
        assert spread is not None, "what is pooled has places"
        return spread
