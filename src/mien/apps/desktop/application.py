"""The desk: everything that is open and known, without a window. Views show it, and ask it to do things."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mien.apps.desktop import saving
from mien.apps.desktop.camera_state import Cameras
from mien.apps.desktop.drag_and_drop import sorted_out
from mien.apps.desktop.explanation_state import Peering
from mien.apps.desktop.model_list import Shelf
from mien.apps.desktop.model_session import Choice, Load
from mien.apps.desktop.pictures import Album
from mien.apps.desktop.settings import Settings
from mien.apps.desktop.state import Ground
from mien.apps.desktop.video_state import Filming
from mien.apps.desktop.worker import LATER

if TYPE_CHECKING:
    from mien.apps.desktop.camera_state import OpenDevice

#: The pages, in their order.
PAGES = ("photo", "camera", "video", "inside", "models")


class Desk:
    """Rings ``page`` when another page is to be shown; its parts ring for themselves."""

    def __init__(
        self,
        load: Load,
        remembered: Settings | None = None,
        choice: Choice | None = None,
        device: OpenDevice | None = None,
    ) -> None:
        self.ground = Ground(load, remembered)
        self.ground.choice = choice or Choice()
        self.album = Album(self.ground)
        self.film = Filming(self.ground)
        self.inside = Peering(self.ground, self.album)
        self.camera = Cameras(self.ground, self.album, device)
        self.shelf = Shelf(self.ground)
        self.page = PAGES[0]
        self.attach()

    def attach(self) -> None:
        """Listen to what concerns several parts; again after the bells were silenced."""
        self.ground.bells.hear("choice", self._read_anew)
        for topic in ("face", "page"):
            self.ground.bells.hear(topic, self._peer)

    def warm(self) -> None:
        """Load the model, behind a window that is there."""
        self.ground.choose(self.ground.choice)

    def show(self, page: str) -> None:
        if page != self.page:
            self.page = page
            self.ground.bells.ring("page")

    def open(self, paths: Iterable[Path], *, keep: bool = True) -> None:
        """Pictures, folders or a film, on the page where they belong; ``keep`` them among the recent ones."""
        pictures, films = sorted_out(paths)
        for path in (*films[:1], *pictures) if keep else ():
            self._remember(path)
        if films:
            self.show("video")
            self.film.open(films[0])
            if len(films) > 1:
                self.ground.say(f"One film at a time: {films[0].name} is open.")
        if pictures:
            if not films and self.page not in ("photo", "inside"):
                self.show("photo")
            self.album.open(pictures)

    def poll(self) -> bool:
        """Hear what the worker has found out; to be called often. Was there anything?"""
        return self.ground.worker.poll()

    @property
    def idle(self) -> bool:
        return self.ground.worker.idle

    def cancel(self) -> None:
        """Leave whatever goes on in the background."""
        if self.ground.busy:
            self.album.cancel()
            self.film.cancel()
            self.ground.cancel()
            self.ground.say("Stopped. What was read until then is here.")

    def close(self) -> None:
        """Let everything go, whatever is going on."""
        self.camera.close()
        self.ground.close()
        self.film.close()

    # What is made of it

    def as_json(self) -> str:
        return saving.as_json(self.album.outcomes())

    def as_csv(self) -> str:
        return saving.as_csv(self.album.outcomes(), self.ground.labels)

    def save(self, kind: str, path: Path) -> None:
        """``json`` and ``csv`` of all pictures that were read; ``picture`` and ``report`` of the one looked at."""
        shot, ground = self.album.shot, self.ground
        if kind in ("json", "csv"):
            steps = saving.text_into(path, self.as_json() if kind == "json" else self.as_csv())
        elif shot is None or shot.result is None:
            return
        elif kind == "picture":
            steps = saving.painted_into(path, ground.bench, shot)
        else:
            steps = saving.write_walkthrough(path, ground.bench, shot, self.album.face, ground.choice)
        ground.do(steps, lambda place: ground.say(f"Saved as {place}"), urgency=LATER)

    def _remember(self, path: Path) -> None:
        self.ground.settings = self.ground.settings.opened(path)
        self.ground.remember()
        self.ground.bells.ring("recent")

    def _read_anew(self) -> None:
        self.inside.forget()
        self.camera.stop() if self.camera.stage != "off" else None
        self.album.again()
        if self.film.reel:
            self.film.again()

    def _peer(self) -> None:
        if self.page == "inside" and not self.inside.moving:
            self.inside.ask()
