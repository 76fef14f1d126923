"""A fake camera device, the names of mien's threads, and waiting for a condition."""

import time

import cv2
import numpy as np

from mien.video import Camera, open_camera
from synthetic_video import HAPPY, synthetic_frame


class FakeCameraDevice:
    """Behaves as ``cv2.VideoCapture``: a frame each ``interval`` seconds; after ``frames`` frames silence or an error.

    ``sent`` counts the frames, ``released`` the calls of ``release``.
    """

    def __init__(
        self,
        frames: int | None = None,
        *,
        pixels: np.ndarray | None = None,
        interval: float = 0.01,
        opens: bool = True,
        error: str | None = None,
    ) -> None:
        self._frames, self._interval, self._opens, self._error = frames, interval, opens, error
        image = synthetic_frame(HAPPY) if pixels is None else pixels
        self._image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        self.sent, self.released, self.settings = 0, 0, {}

    def isOpened(self):
        return self._opens

    def read(self):
        assert not self.released, "read after release"
        time.sleep(self._interval)
        if self._frames is not None and self.sent >= self._frames:
            if self._error:
                raise cv2.error(self._error)
            return False, None
        self.sent += 1
        return True, self._image

    def get(self, property_id):
        height, width = self._image.shape[:2]
        values = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height, cv2.CAP_PROP_FPS: 30}
        return float(values.get(property_id, 0))

    def set(self, property_id, value):
        self.settings[property_id] = value
        return True

    def release(self):
        self.released += 1


def open_fake_camera(device: FakeCameraDevice, **options: object) -> Camera:
    return open_camera(0, open_device=lambda source: device, **options)
