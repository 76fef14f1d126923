"""Exact class activation maps: weights times feature maps, for networks that end in global average pooling."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Reach
from mien.explain.head import Pooled


def evidence(pooled: Pooled, maps: NDArray[np.float32], target: int, versus: int | None) -> NDArray[np.float32]:
    """What each place ``(h, w)`` adds to the target's logit, against ``versus`` or against the mean of all labels.

    The mean over all places, and the bias in the same way, make the difference of the logits exactly. Without a rival
    the mean is taken away because a softmax does not see what all labels share.
    """
    weights = pooled.weights
    rival = weights.mean(axis=1) if versus is None else weights[:, versus]
    return np.asarray(np.tensordot(weights[:, target] - rival, maps, axes=1), np.float32)


def on_crop(coarse: NDArray[np.float32], reach: Reach, side: int) -> NDArray[np.float32]:
    """A map of places ``(h, w)`` laid over the crop ``(side, side)``, each place where the middle of its view is."""
    columns, rows = (((np.arange(side) - at) / reach.stride).astype(np.float32) for at in (reach.across, reach.offset))
    across = np.broadcast_to(np.clip(columns, 0, coarse.shape[1] - 1), (side, side))
    down = np.broadcast_to(np.clip(rows, 0, coarse.shape[0] - 1)[:, None], (side, side))
    laid = cv2.remap(
        np.ascontiguousarray(coarse, np.float32),
        np.ascontiguousarray(across),
        np.ascontiguousarray(down),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # Straight lines between few places show as creases; half a place of blur takes them out and moves nothing.
    return np.asarray(cv2.GaussianBlur(laid, (0, 0), max(reach.stride / 3, 0.3), borderType=cv2.BORDER_REPLICATE))
