"""One HTML page that holds the whole data report: its own style, light and dark, no script and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING

from mien.html import data_uri, expression_name, footer, format_percent, render_page, table, tile, tiles
from mien.lab.check import learned_by_heart
from mien.lab.eda import sheets
from mien.lab.eda.numbers import Pair
from mien.lab.eda.people import Votes, spoken
from mien.labels import EMOTIONS, VOTES, colour

if TYPE_CHECKING:
    from mien.lab.eda import Report

_MEANING = {
    "truncated": "the file stops in the middle of a row: it was not copied or downloaded whole",
    "columns": "rows with fewer cells than the header names",
    "pixel count": "rows that have not 48 x 48 = 2304 pixels",
    "not numbers": "rows with pixels that are no whole numbers",
    "pixel range": "rows with pixels above 255",
    "label": "rows whose label stands for none of the seven expressions",
    "folder": "folders whose names are none of the seven expressions",
    "votes": "FER+ votes that could not be joined to the faces",
    "unreadable": "pictures that could not be opened",
    "split": "faces in a split that FER2013 does not have",
    "missing split": "a split without a face",
    "empty class": "an expression without a face in one of the splits",
    "blank": "faces of which all pixels are the same",
    "duplicate": "the very same picture more than once in one split: it counts double",
    "duplicate across splits": "a test face that the network has learned by heart: the test looks better than it is",
    "conflicting labels": "one picture with two labels: one of them must be wrong",
    "near-duplicate": "the same photograph in one split, saved, lit or cut differently",
    "near-duplicate across splits": "the same photograph in training and test, saved, lit or cut differently",
    "label order": "numbers that do not stand for what FER2013's order says",
}

_PROSE = {
    "classes": "A network that always says the commonest expression looks good where classes are unequal. The weight "
    "makes every class count the same in training: all faces over seven times the class's own.",
    "means": "The second row is what an expression adds to a face: red is brighter than the mean of all, blue is "
    "darker. An open mouth is a dark hole, bared teeth a bright band. The third row is bright where the faces of a "
    "class differ most from each other.",
    "light": "Light says nothing about an expression. Where one class is brighter than the others, a network may learn "
    "that instead.",
    "twins": "Copies in training count double. Copies in the test are questions whose answers were learned by heart. "
    "Copies with two labels show how hard labelling is. The most telling pairs come first.",
    "people": "FER2013's labels came from the words of a picture search. For FER+ ten people looked at every face: the "
    "label is what they said most often for {agree} of the faces. These are two targets, not one.",
    "map": "A face is a point in a space of 2304 dimensions. Here its brightness and contrast are taken out, and the "
    "directions in which {count} faces differ most are the axes (principal components of the pixels); the first two "
    "hold {part} of all differences. Walk along one to see what it is: where the light comes from, how the head is "
    "turned, hair. Expressions are fine print beside that. The colours mix, and that is why a network has to learn "
    "features of its own.",
    "sight": "This is what features do: the same kind of map, of what mien's embedded network says of {count} {usage} "
    "faces (the logarithms of its shares). Its answer is the label for {right} of them. Where the colours part here, "
    "the network has found what the pixels hide; where they mix, look at what ten people say. It has learned from the "
    "faces of FER2013 and from no others: it is lost on drawings.",
}


def page(report: Report, figures: Mapping[str, str]) -> str:
    """The page; ``figures`` are ``<svg>`` elements by name."""
    return render_page(f"{report.source.path.name}: the data", _body(report, figures))


def _body(report: Report, figures: Mapping[str, str]) -> Iterator[str]:
    yield f"<h1>What is in {escape(report.source.path.name)}</h1>"
    yield f"<p class='muted'>{len(report.source):,} faces, 48 x 48, from a {_shape(report)}</p>"
    yield tiles(_tiles(report))
    yield from (f"<p>{escape(remark)}</p>" for remark in report.source.remarks)
    yield from _classes(report, figures)
    yield from _samples(report)
    yield from _averages(figures)
    yield from _twins(report)
    if report.votes is not None:
        yield from _people(report, report.votes, figures)
    yield from _map(report, figures)
    yield from _findings(report)
    rights = "Faces from the data are shown here: mind their rights before you publish."
    yield footer(rights)


def _shape(report: Report) -> str:
    return {"table": "table", "folders": "folder of pictures", "arrays": "file of arrays"}[report.source.shape]


def _tiles(report: Report) -> Iterator[str]:
    numbers, faces = report.numbers, report.source.faces
    totals = [sum(column) for column in zip(*numbers.counts.values(), strict=True)]
    least, most = (EMOTIONS[totals.index(pick(totals))] for pick in (min, max))
    ratio = f"{max(totals) / min(totals):.1f} : 1" if min(totals) else "one is empty"
    told = f"{most} {max(totals):,}, {least} {min(totals):,}" if most != least else f"{max(totals):,} faces each"
    yield tile("largest to smallest class", ratio, told)
    for usage, count in learned_by_heart(faces).items():
        told = f"{count:,} faces, pixel for pixel; tests on them are too good" if count else "no face, pixel for pixel"
        yield tile(f"{usage} in Training", format_percent(count / sum(numbers.counts[usage])), told)
    yield tile("copies", f"{numbers.twins:,}", f"exact; and {numbers.near:,} pairs that are nearly the same picture")
    if report.votes is not None:
        told = f"of {report.votes.asked:,} faces, most people give the label's answer"
        yield tile("label and people agree", format_percent(report.votes.overall), told)
    if report.space.nearest is not None and report.space.always is not None:
        told = f"right by the nearest mean face; always the commonest: {format_percent(report.space.always)}"
        yield tile("told by pixels alone", format_percent(report.space.nearest), told)


def _classes(report: Report, figures: Mapping[str, str]) -> Iterator[str]:
    numbers = report.numbers
    yield "<h2>How many of each</h2>"
    yield f"<p>{_PROSE['classes']}</p>"
    counts = table(
        ("expression", *numbers.counts, "share", "weight"),
        (_class_row(report, place) for place in range(len(EMOTIONS))),
    )
    yield f"<div class='pair middle'><figure>{figures['classes']}</figure>{counts}</div>"


def _class_row(report: Report, place: int) -> list[str]:
    counts = [row[place] for row in report.numbers.counts.values()]
    share = sum(counts) / max(len(report.source), 1)
    cells = [*(f"{count:,}" for count in counts), format_percent(share), f"{report.numbers.weights[place]:.2f}"]
    return [expression_name(EMOTIONS[place]), *cells]


def _samples(report: Report) -> Iterator[str]:
    faces = report.source.faces
    yield "<h2>Some of them</h2><p>Drawn at random, the same at every run. Would you have given them these labels?</p>"
    for label, name in enumerate(EMOTIONS):
        some = faces.pixels[sheets.chosen(faces, label)]
        if len(some):
            image = _image(sheets.png(sheets.strip(some), 1), f"{len(some)} faces labelled {name}")
            yield f"<div class='row'><span>{expression_name(name)}</span>{image}</div>"


def _averages(figures: Mapping[str, str]) -> Iterator[str]:
    yield "<h2>The mean face</h2>"
    yield f"<p>{_PROSE['means']}</p><figure class='wide'>{figures['means']}</figure>"
    yield f"<h2>Light</h2><p>{_PROSE['light']}</p><figure class='wide'>{figures['light']}</figure>"


def _twins(report: Report) -> Iterator[str]:
    pairs = report.numbers.pairs
    if not pairs:
        return
    yield "<h2>The same picture twice</h2>"
    yield f"<p>{_PROSE['twins']}</p>"
    for word, some in (
        ("The very same pixels", [pair for pair in pairs if pair.likeness == 1]),
        ("Nearly the same pixels", [pair for pair in pairs if pair.likeness < 1]),
    ):
        if some:
            yield f"<h3>{word}</h3><div class='faces twins'>{''.join(_pair(report, pair) for pair in some)}</div>"


def _pair(report: Report, pair: Pair) -> str:
    images = "".join(_face(report, place) for place in (pair.one, pair.other))
    words = "".join(f"<p>{_told(report, place)}</p>" for place in (pair.one, pair.other))
    alike = "" if pair.likeness == 1 else f"<small>alike {pair.likeness:.3f}</small>"
    return f"<div class='face'>{images}<div>{words}{alike}</div></div>"


def _told(report: Report, place: int) -> str:
    faces = report.source.faces
    where = f"{escape(report.source.place(place))}, {escape(str(faces.usage[place]))}"
    return f"{expression_name(EMOTIONS[faces.labels[place]])}<br><small>{where}</small>"


def _people(report: Report, votes: Votes, figures: Mapping[str, str]) -> Iterator[str]:
    yield "<h2>What ten people say</h2>"
    yield f"<p>{_PROSE['people'].format(agree=format_percent(votes.overall))}</p>"
    pairs = zip(EMOTIONS, votes.agree, strict=True)
    agree = table(
        ("label", "most people agree"), ([expression_name(name), format_percent(part)] for name, part in pairs)
    )
    yield f"<div class='pair middle'><figure>{figures['people']}</figure><div>{agree}</div></div>"
    yield "<h3>People agree least on these</h3>"
    yield f"<div class='faces'>{''.join(_voted(report, place) for place in votes.torn)}</div>"
    if votes.contrary:
        yield "<h3>Everybody agrees on these, but not with the label</h3>"
        yield f"<div class='faces'>{''.join(_voted(report, place) for place in votes.contrary)}</div>"


def _voted(report: Report, place: int) -> str:
    faces = report.source.faces
    said = spoken(faces, place)
    squares = "".join(f"<i style='background:{_hue(answer)}'></i>" * count for answer, count in said.items())
    words = ", ".join(f"{count} {'not a face' if answer == 'nf' else answer}" for answer, count in said.items())
    label = f"<p>label: {expression_name(EMOTIONS[faces.labels[place]])}</p>"
    where = f"<small>{escape(report.source.place(place))}</small>"
    beside = f"<div>{label}<div class='said'>{squares}</div><p>{words}</p>{where}</div>"
    return f"<div class='face'>{_face(report, place)}{beside}</div>"


def _map(report: Report, figures: Mapping[str, str]) -> Iterator[str]:
    space, faces = report.space, report.source.faces
    part = format_percent(float(space.explained[:2].sum()))
    yield "<h2>A map of the faces</h2>"
    yield f"<p>{_PROSE['map'].format(count=f'{len(space.places):,}', part=part)}</p>"
    yield f"<div class='pair middle'><figure>{figures['axes']}</figure><figure>{figures['map']}</figure></div>"
    sheet = sheets.mapped(faces.pixels[space.places], space.points)
    words = "the faces themselves, placed by the first two axes"
    yield f"<h3>The same map: {words}, spread out evenly</h3>{_image(sheets.png(sheet, 1), words, 'map')}"
    yield "<h3>What a network makes of them</h3>"
    sight = report.sight
    right = format_percent(sight.right)
    told = _PROSE["sight"].format(count=f"{len(sight.places):,}", usage=escape(sight.usage), right=right)
    yield f"<div class='pair middle'><figure>{figures['map_of_answers']}</figure><p>{told}</p></div>"


def _findings(report: Report) -> Iterator[str]:
    kinds = report.checked.kinds()
    yield "<h2>What a check finds</h2>"
    if not kinds:
        yield "<p>Nothing wrong was found.</p>"
        return
    rows = "".join(
        f"<tr><td>{kind}</td><td>{len(found):,}</td><td class='words'>{escape(_MEANING.get(kind, ''))}. "
        f"First: {escape(found[0].where)}, {escape(found[0].reason)}.</td></tr>"
        for kind, found in kinds.items()
    )
    yield f"<table><tr><th>finding</th><th>how many</th><th></th></tr>{rows}</table>"
    yield "<p><small>report.json, and mien data check with --all, name every one of them.</small></p>"


def _hue(answer: str) -> str:
    return colour(answer) if answer in VOTES else "var(--muted)"


def _face(report: Report, place: int) -> str:
    faces = report.source.faces
    return _image(sheets.png(faces.pixels[place], 2), f"a face labelled {EMOTIONS[faces.labels[place]]}")


def _image(png: bytes, described: str, kind: str = "") -> str:
    return f"<img class='{kind}' alt='{escape(described)}' src='{data_uri(png)}'>"
