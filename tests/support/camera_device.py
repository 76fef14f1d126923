"""A fake camera device, and the names of mien's threads."""

import threading
import time

import cv2

from synthetic_frames import HAPPY, frame


class Device:
    """A camera of a hundred frames a second; the nth frame may be its last."""

    def __init__(self, last: int | None = None, gray: int = HAPPY) -> None:
        self.last, self.given, self.released = last, 0, 0
        self._picture = cv2.cvtColor(frame(gray), cv2.COLOR_RGB2BGR)

    def isOpened(self):
        return True

    def read(self):
        time.sleep(0.01)
        if self.last is not None and self.given >= self.last:
            return False, None
        self.given += 1
        return True, self._picture

    def get(self, what):
        return {cv2.CAP_PROP_FRAME_WIDTH: 160.0, cv2.CAP_PROP_FRAME_HEIGHT: 120.0}.get(what, 0.0)

    def set(self, what, value):
        return True

    def release(self):
        self.released += 1


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("mien")}
