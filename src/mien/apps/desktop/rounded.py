"""Round corners for ttk: small pictures whose edges stay and whose middle is stretched."""

from __future__ import annotations

from PIL import Image, ImageDraw

_FINER = 4


def plate(side: int, radius: float, fill: str, outline: str | None = None, wide: float = 1.0) -> Image.Image:
    """A square with round corners, RGBA; ``outline`` lies inside its edge."""
    large = side * _FINER
    image = Image.new("RGBA", (large, large), (*_rgb(outline or fill), 0))
    draw = ImageDraw.Draw(image)
    corner = (0, 0, large - 1, large - 1)
    if outline:
        draw.rounded_rectangle(corner, radius * _FINER, fill=outline)
        inset = round(wide * _FINER)
        inner = (inset, inset, large - 1 - inset, large - 1 - inset)
        draw.rounded_rectangle(inner, max(radius * _FINER - inset, 0), fill=fill)
    else:
        draw.rounded_rectangle(corner, radius * _FINER, fill=fill)
    return image.resize((side, side), Image.Resampling.BOX)


def wide_plate(image: Image.Image, border: int, side: int, behind: str = "") -> Image.Image:
    """The same plate with a large middle, for large areas: Tk lays the middle out like tiles, and many take seconds.

    On the colour ``behind`` it needs no transparency, which Tk draws slowly too.
    """
    if behind:
        ground = Image.new("RGB", image.size, behind)
        ground.paste(image, mask=image)
        image = ground
    end, large = image.width - border, Image.new(image.mode, (side, side))
    spans = ((0, border, 0, border), (border, end, border, side - border), (end, image.width, side - border, side))
    for top, bottom, to_top, to_bottom in spans:
        for left, right, to_left, to_right in spans:
            part = image.crop((left, top, right, bottom))
            large.paste(part.resize((to_right - to_left, to_bottom - to_top)), (to_left, to_top))
    return large


def bar(width: int, height: int, part: float, fill: str, ground: str, behind: str) -> Image.Image:
    """A bar with round ends that is filled to this part, on the colour behind it."""
    image = Image.new("RGB", (width * _FINER, height * _FINER), behind)
    draw, radius = ImageDraw.Draw(image), height * _FINER / 2
    draw.rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius, fill=ground)
    full = Image.new("RGB", image.size, behind)
    ImageDraw.Draw(full).rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius, fill=fill)
    # Cut off where it ends: a round end would make little look like more.
    image.paste(full.crop((0, 0, round(image.width * min(part, 1.0)), image.height)))
    return image.resize((width, height), Image.Resampling.BOX)


def switch(side: int, on: bool, fill: str, outline: str, mark: str) -> Image.Image:
    """A box to tick."""
    image = plate(side, side * 0.28, fill, outline, max(side / 14, 1))
    if on:
        draw = ImageDraw.Draw(image := image.resize((side * _FINER,) * 2))
        points = [value * side * _FINER for value in (0.24, 0.52, 0.43, 0.7, 0.77, 0.32)]
        draw.line(points, fill=mark, width=round(side * _FINER * 0.11), joint="curve")
        image = image.resize((side, side), Image.Resampling.BOX)
    return image


def disc(side: int, fill: str, outline: str) -> Image.Image:
    return plate(side, side / 2, fill, outline, max(side / 14, 1))


def mixed(one: str, other: str, part: float) -> str:
    """A colour between two: ``part`` of the other."""
    values = zip(_rgb(one), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in values)


def _rgb(hue: str) -> tuple[int, int, int]:
    return int(hue[1:3], 16), int(hue[3:5], 16), int(hue[5:7], 16)
