"""The run of ``mien explain``, from the first picture to the exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import click
import numpy as np

from mien import media
from mien.apps.cli.bar import Bar
from mien.apps.cli.exciting import Examples
from mien.apps.cli.explain import Request
from mien.apps.cli.explained import Explained, write
from mien.apps.cli.output import alone_on_stderr, printable, remark, say
from mien.apps.cli.paths import is_folder
from mien.apps.cli.reader import Reader
from mien.apps.cli.screens import complaint
from mien.apps.cli.sources import Item, items
from mien.apps.cli.words import looks, percent
from mien.engine import Engine
from mien.errors import MienError
from mien.explain import Explanation
from mien.explain.question import METHODS, methods_of
from mien.explain.regions import regions_of
from mien.types import Failure

#: Methods that ask the network again and again; each gets a tick of the bar.
_SLOW = METHODS[1:]


def run(request: Request, reader: Reader) -> int:
    """Explain everything that was asked for, say what came of it, and return the exit status."""
    assert isinstance(reader, Engine), "every loader makes engines"
    steps = _layers(request, reader)
    failed = faceless = 0
    examples = Examples(request.data, reader) if request.data else None
    with alone_on_stderr(), Bar() as bar:
        for item, folder in _places(request):
            try:
                found = _explained(request, reader, item, steps, bar)
                page = write(found, folder, request.formats, examples, bar.update)
            except MienError as error:
                bar.wipe()
                remark(complaint(Failure(item.name, error)))
                failed += 1
                continue
            bar.wipe()
            faceless += not found.faces
            for line in _lines(found):
                say(line)
            remark(f"Walkthrough: {printable(str(page))}" if page else f"Explained: {printable(str(folder))}")
    if request.require_face and faceless:
        remark(f"mien: {faceless:,} without a face, and --require-face was given.")
    return int(failed > 0 or (request.require_face and faceless > 0))


def _layers(request: Request, engine: Engine) -> tuple[str, ...] | None:
    """The layers that get a picture and a step each; None is all. Unknown words are refused before any work."""
    try:
        methods_of(request.methods)
        blank = np.full((engine.card.side,) * 2, 128, np.uint8)
        wanted = request.layers or "auto"
        tried = engine.explain(blank, (), wanted, request.target, request.versus)
    except MienError as error:
        raise click.UsageError(printable(str(error))) from error
    return None if request.layers == "all" else tuple(layer.name for layer in tried.layers)


def _places(request: Request) -> Iterator[tuple[Item, Path]]:
    """Each picture and its folder: the named one for a lone file, a folder inside it for each of several."""
    found = items(request.sources)
    first = list(islice(found, 2))
    if len(first) == 1 and not is_folder(request.sources[0]):
        yield first[0], request.out
        return
    taken: set[str] = set()
    for item in chain(first, found):
        yield item, request.out / _free(item.place.with_suffix(""), taken)


def _free(wanted: Path, taken: set[str]) -> Path:
    """``photo.jpg`` and ``photo.png`` cannot share a folder: who comes second gets a number."""
    place, number = wanted, 1
    while str(place).lower() in taken:
        number += 1
        place = wanted.with_name(f"{wanted.name}-{number}")
    taken.add(str(place).lower())
    return place


def _explained(request: Request, engine: Engine, item: Item, steps: tuple[str, ...] | None, bar: Bar) -> Explained:
    if isinstance(item.source, Failure):
        raise item.source.error
    pixels = media.picture(item.source, max_pixels=request.max_pixels).pixels
    methods = methods_of(request.methods) or METHODS[:1]
    told = engine.explain_picture(
        pixels,
        request.face if request.face else None,
        methods=[each for each in methods if each not in _SLOW],
        layers="all",
        target=request.target,
        versus=request.versus,
        min_face=request.min_face,
    )
    named = [replace(each, source=item.name) for each in told]
    slow = [each for each in methods if each in _SLOW]
    tick = _ticks(bar, len(named) * len(slow))
    faces = tuple(_with(engine, each, slow, methods, request, tick) for each in named)
    return Explained(item.name, pixels, faces, steps, engine.detector, engine.card.name)


def _ticks(bar: Bar, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))
    return lambda: bar.update(next(done), total)


def _with(
    engine: Engine,
    told: Explanation,
    slow: list[str],
    methods: tuple[str, ...],
    request: Request,
    tick: Callable[[], None],
) -> Explanation:
    """The explanation with the maps of the slow methods too, asked for one by one, in the order they were named."""
    basis = told.regions[0].basis if told.regions else _basis(told)
    pairs = list(zip(told.maps, told.regions, strict=True))
    flip, sought = told.flip, told.flip_sought
    for method in slow:
        more = engine.explain(told.crop, [method], (), told.target, request.versus, request.seed)
        pairs += [(each, regions_of(each, told.region_map, basis)) for each in more.maps]
        flip, sought = flip or more.flip, sought or more.flip_sought
        tick()
    order = {name: place for place, name in enumerate(methods)}
    pairs.sort(key=lambda pair: order.get(pair[0].method, -1))
    maps, regions = tuple(each for each, _ in pairs), tuple(each for _, each in pairs)
    return replace(told, maps=maps, regions=regions, flip=flip, flip_sought=sought)


def _basis(told: Explanation) -> str:
    return "landmarks" if told.face is not None and told.face.landmarks else "mean geometry"


def _lines(found: Explained) -> Iterator[str]:
    """A line for each face: what it looks like, how sure, and where the evidence lies."""
    name = printable(found.source)
    if not found.faces:
        yield f"{name}: no face found"
    for told in found.faces:
        top = told.emotions.top
        yield f"{name}: face {told.number} {looks(top)}, {percent(told.emotions[top])}{_evidence(told)}"


def _evidence(told: Explanation) -> str:
    parts = [share for share in (told.regions[0].shares if told.regions else ()) if share.label != "rest"]
    if not parts:
        return ""
    most = max(parts, key=lambda share: share.share)
    return f"; {percent(most.share)} of the evidence for {printable(told.target)} lies on the {most.label}"
