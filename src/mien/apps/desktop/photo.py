"""The page Photo: the current image, the reading of the selected face, and thumbnails of all open images."""

from __future__ import annotations

import tkinter as tk
from collections import OrderedDict
from functools import partial
from io import BytesIO
from tkinter import ttk

from PIL import Image, ImageTk

from mien.apps.desktop.commands import PageOwner
from mien.apps.desktop.face_scores import FaceCard
from mien.apps.desktop.images import ImageList, OpenImage, scale_result
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import (
    EmptyPage,
    IdleCallback,
    ImageView,
    Notice,
    PageFrame,
    PageHeader,
    ScrollFrame,
    WrappedLabel,
    create_button,
)
from mien.apps.session import samples
from mien.labels import label_colour
from mien.results import Box, FrameResult
from mien.text import DISCLAIMER, NO_FACE, NO_FACE_HELP, describe_face_count

#: The width of the column with the reading, in pixels of the design.
_SIDE_WIDTH = 360

#: Side, gap and height of the coloured line of a thumbnail, in pixels of the design.
_SIDE, _GAP, _LINE = 76, 10, 4

#: The most thumbnails that stay decoded.
_MAX_PHOTOS = 120


class PhotoPage(PageFrame):
    """Shows the open images, or how to open one."""

    def __init__(self, parent: tk.Misc, window: PageOwner) -> None:
        super().__init__(parent)
        self._window, self._theme = window, window.theme
        self._application, self._images = window.application, window.application.images
        self._annotator = window.annotator
        self._empty = EmptyPage(
            self,
            self._theme,
            "photo",
            "Open a photo to see the expressions of its faces",
            (window.describe_input("photos or a folder"), DISCLAIMER),
            (("Choose photos…", window.dialogs.open_images), ("Choose a folder…", window.dialogs.open_folder)),
        )
        examples = [
            (name, partial(self._application.open, [path], add_recent=False))
            for name, path in samples.sample_paths().items()
        ]
        self._empty.add_examples("Or try", examples, samples.CREDIT)
        self._content = self._build()
        self._displayed: tuple[object, ...] = ()
        self._application.state.events.subscribe(
            IdleCallback(self, self._show), "images", "image", "annotated", "face", "card"
        )
        self._show()

    def _build(self) -> ttk.Frame:
        theme, window = self._theme, self._window
        frame, gap = ttk.Frame(self), theme.px(16)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(1, weight=1)
        self._header = PageHeader(frame, theme, window.dialogs.open_images, (gap, gap, gap, theme.px(10)))
        self._header.grid(row=0, column=0, columnspan=2, sticky="ew")
        window.menus.create_save_button(self._header.buttons, "images").pack(side="left", padx=(theme.px(8), 0))
        self.view = ImageView(frame, theme, self._annotator.request, self._select_face_at)
        self.view.grid(row=1, column=0, sticky="nsew", padx=(gap, 0), pady=(0, gap))
        self._side = ScrollFrame(frame, theme, width=_SIDE_WIDTH)
        # The reading never takes more than half of the width from the image.
        frame.bind("<Configure>", lambda event: self._side.set_width(min(theme.px(_SIDE_WIDTH), event.width // 2)))
        self._side.grid(row=1, column=1, sticky="ns", padx=gap, pady=(0, gap))
        self.thumbnails = Thumbnails(frame, theme, self._images)
        self._build_side(self._side.inner)
        return frame

    def _build_side(self, side: ttk.Frame) -> None:
        theme, images = self._theme, self._images
        self._face_selector = ttk.Frame(side)
        self._face_number = ttk.Label(self._face_selector, style="Strong.TLabel")
        self._face_number.pack(side="left")
        for icon, tooltip, step in (("right", "Next face (N)", 1), ("left", "Previous face (P)", -1)):
            select = partial(images.step_face, step)
            arrow = create_button(
                self._face_selector, theme, "", select, icon=icon, style="Quiet.TButton", tooltip=tooltip
            )
            arrow.pack(side="right")
        self._card = FaceCard(side, theme)
        explain = partial(self._application.show_page, "explain")
        self._explain = create_button(side, theme, "Explain", explain, icon="explain")
        self._disclaimer = WrappedLabel(side, DISCLAIMER, "Muted.TLabel")
        self._notice = Notice(side, theme)
        self._parts = (self._face_selector, self._card, self._explain, self._disclaimer, self._notice)

    def _show(self) -> None:
        image, images = self._images.current, self._images
        if image is None:
            self.show_content(self._empty)
            return
        self.show_content(self._content)
        self._header.show(image.title, self._describe(image))
        if len(images.images) > 1:
            self.thumbnails.grid(row=2, column=0, columnspan=2, sticky="ew")
        else:
            self.thumbnails.grid_forget()
        self.thumbnails.show()
        self._show_image(image)
        displayed = image.number, image.result, image.error, images.face_index
        if displayed != self._displayed:
            self._displayed = displayed
            self._show_reading(image)

    def _describe(self, image: OpenImage) -> tuple[str, ...]:
        images, result = self._images, image.result
        position = f"{images.index + 1} of {len(images.images)} images" if len(images.images) > 1 else ""
        if result is None:
            return position, "could not be read" if image.error else "analysing …"
        width, height = result.size
        models = f"detector {result.detector}, model {result.model}"
        return position, describe_face_count(result), f"{width} × {height}", models

    def _show_image(self, image: OpenImage) -> None:
        self._annotator.request(*self.view.available_size)
        annotated = self._annotator.image
        if annotated is not None:
            self.view.show(annotated.pixels)
            self.view.mark(self._selected_box(annotated.pixels.shape[1]))
        elif self._images.preview is None:
            self.view.show(None, "" if image.error else f"Opening {image.title} …")
            self.view.mark(None)

    def _selected_box(self, width: int) -> Box | None:
        """The box of the selected face in an image of this width; None where there is only one face."""
        images = self._images
        result = images.current.result if images.current else None
        if images.reading is None or result is None or len(images.readings) < 2:
            return None
        return scale_result(result, width / result.size[0]).readings[images.face_index].face.box

    def _show_reading(self, image: OpenImage) -> None:
        for part in self._parts:
            part.pack_forget()
        gap, reading, count = self._theme.px(10), self._images.reading, len(self._images.readings)
        if image.error or (isinstance(image.result, FrameResult) and not count):
            self._notice.set_text(str(image.error) if image.error else f"{NO_FACE} {NO_FACE_HELP}")
            self._notice.pack(fill="x")
        elif reading is not None:
            if count > 1:
                self._face_number.configure(text=f"Face {self._images.face_index + 1} of {count}")
                self._face_selector.pack(fill="x", pady=(0, gap))
            box = reading.face.box
            self._card.show(reading, f"Face of {box.width} × {box.height} pixels")
            self._card.pack(fill="x", pady=(0, gap))
            self._explain.pack(fill="x", pady=(0, gap))
            self._disclaimer.pack(fill="x")
        self._side.scroll_to_top()

    def _select_face_at(self, x: float, y: float) -> None:
        """Select the smallest face at this place of the annotated image."""
        annotated, image = self._annotator.image, self._images.current
        if annotated is None or image is None or image.result is None:
            return
        boxes = [face.box for face in scale_result(image.result, annotated.scale).faces]
        hits = [
            (box.width, index)
            for index, box in enumerate(boxes)
            if box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height
        ]
        if hits:
            self._images.select_face(min(hits)[1])


class Thumbnails(ttk.Frame):
    """A row of the open images. Only the visible ones are drawn, so that thousands are as fast as ten.

    A click selects an image; so do the arrow keys, Home and End.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, images: ImageList) -> None:
        super().__init__(parent, style="Panel.TFrame", padding=(theme.px(12), theme.px(8)))
        self._theme, self._images = theme, images
        # Thumbnails do not grow with the text: they would leave little space for the image.
        self._scale = min(theme.scale, theme.screen_scale * 1.25)
        colors, height = theme.colors, self._px(_SIDE + _LINE + 12)
        self.canvas = tk.Canvas(self, height=height, background=colors.panel, highlightthickness=theme.px(2))
        self.canvas.configure(highlightbackground=colors.panel, highlightcolor=colors.accent, takefocus=True)
        self._bar = ttk.Scrollbar(self, orient="horizontal", command=self._scroll)
        self.canvas.pack(fill="x")
        self._photos: OrderedDict[int, ImageTk.PhotoImage] = OrderedDict()
        self._offset, self._index = 0.0, -1
        self._step_width = self._px(_SIDE + _GAP)
        self._request_draw = IdleCallback(self, self._draw)
        self.canvas.bind("<Configure>", self._request_draw)
        self.canvas.bind("<Button-1>", self._click)
        for key, step in (("<Left>", -1), ("<Right>", 1), ("<Home>", -(10**9)), ("<End>", 10**9)):
            self.canvas.bind(key, lambda _event, step=step: self._select(self._images.index + step))  # type: ignore[misc]
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.canvas.bind(event, self._scroll_by_wheel)

    def show(self) -> None:
        """Draw the current state of the images, and scroll to the current one if it changed."""
        if self._images.index != self._index:
            self._index = self._images.index
            left, width = self._index * self._step_width, max(self.canvas.winfo_width(), self._step_width)
            self._offset = min(max(self._offset, left + self._step_width - width), left)
        self._request_draw()

    def _px(self, pixels: float) -> int:
        return round(pixels * self._scale)

    @property
    def _content_width(self) -> int:
        return self._step_width * len(self._images.images)

    def _draw(self) -> None:
        canvas, images, width = self.canvas, self._images.images, self.canvas.winfo_width()
        canvas.delete("all")
        self._offset = min(max(self._offset, 0), max(self._content_width - width, 0))
        first = int(self._offset // self._step_width)
        last = min(int((self._offset + width) // self._step_width) + 1, len(images))
        for index in range(first, last):
            self._draw_thumbnail(index, images[index], round(index * self._step_width - self._offset))
        length = max(self._content_width, 1)
        self._bar.set(self._offset / length, (self._offset + width) / length)
        if self._content_width > width and not self._bar.winfo_ismapped():
            self._bar.pack(fill="x", pady=(self._theme.px(4), 0))
        elif self._content_width <= width and self._bar.winfo_ismapped():
            self._bar.pack_forget()

    def _draw_thumbnail(self, index: int, image: OpenImage, x: int) -> None:
        theme, canvas, colors, side = self._theme, self.canvas, self._theme.colors, self._px(_SIDE)
        top, left = theme.px(4), x + theme.px(4)
        center = left + side // 2, top + side // 2
        canvas.create_rectangle(left, top, left + side, top + side, fill=colors.card, width=0)
        if image.thumbnail:
            canvas.create_image(*center, image=self._decode(image.number, image.thumbnail))
        if image.error:
            canvas.create_image(*center, image=theme.icon("warning", colors.error, 28))
        bottom = top + side + theme.px(3)
        color = self._line_color(image)
        canvas.create_rectangle(left, bottom, left + side, bottom + theme.px(_LINE), fill=color, width=0)
        if index == self._images.index:
            gap, width = theme.px(2), theme.px(3)
            corners = (left - gap, top - gap, left + side + gap, top + side + gap)
            canvas.create_rectangle(*corners, outline=colors.accent, width=width)

    def _decode(self, number: int, thumbnail: bytes) -> ImageTk.PhotoImage:
        """A square from the middle of the thumbnail, cached."""
        if number not in self._photos:
            image: Image.Image = Image.open(BytesIO(thumbnail))
            side = self._px(_SIDE)
            scale = side / min(image.size)
            image = image.resize((max(round(image.width * scale), side), max(round(image.height * scale), side)))
            left, top = (image.width - side) // 2, (image.height - side) // 2
            self._photos[number] = self._theme.photo(image.crop((left, top, left + side, top + side)))
        self._photos.move_to_end(number)
        while len(self._photos) > _MAX_PHOTOS:
            self._photos.popitem(last=False)
        return self._photos[number]

    def _line_color(self, image: OpenImage) -> str:
        """The colour of the largest face's emotion; grey before the analysis, or without a face."""
        if isinstance(image.result, FrameResult) and image.result.readings:
            emotions = image.result.readings[0].emotions
            return label_colour(emotions.top, emotions.labels)
        return self._theme.colors.line if image.result is None else self._theme.colors.muted

    def _select(self, index: int) -> None:
        self._images.select(min(max(index, 0), len(self._images.images) - 1))

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        self._images.select(int((event.x + self._offset) // self._step_width))

    def _scroll(self, action: str, value: str, unit: str = "") -> None:
        """Tk's calls of a scroll bar: ``moveto fraction`` or ``scroll number unit``."""
        if action == "moveto":
            self._offset = float(value) * self._content_width
        else:
            self._offset += int(value) * self._step_width * (3 if unit == "units" else 8)
        self._request_draw()

    def _scroll_by_wheel(self, event: tk.Event[tk.Misc]) -> str:
        self._offset += self._step_width * (-1 if event.num == 4 or event.delta > 0 else 1)
        self._request_draw()
        return "break"
