"""The walkthrough page: one HTML page that shows a face step by step on its way through a network.

::

    images.py            photo, crop, evidence maps, and the feature maps of each layer as one image
    layer_steps.py       the steps from the photo to the last layer before the prediction
    prediction_steps.py  dense layer, softmax, evidence maps, result, the whole network
    values.py            the values of one step, and number formats

The templates, the style sheet and the script are in ``mien/html/templates/walkthrough``. Without the script all steps
are on the page, one below the other; this is also the printed form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from markupsafe import Markup

from mien.explain.explanation import Explanation
from mien.explain.page import layer_steps, prediction_steps
from mien.explain.page.images import PageImages, build_images
from mien.explain.page.values import WalkthroughStep, format_count, format_probability
from mien.html import image_tag, render
from mien.html.environment import read_asset
from mien.html.images import shrink_image
from mien.labels import label_adjective
from mien.results import Pixels

#: Longest side of the photo on the overview page, in pixels.
_LONGEST = 1400


def render_walkthrough(
    explanation: Explanation, pixels: Pixels | None = None, layers: Sequence[str] | None = None
) -> str:
    """The standalone page, under 3 MB.

    ``pixels`` is the RGB image with the face; without it the first step is the crop. ``layers`` are the names of the
    layers with a step; None means all layers of the explanation.
    """
    return render("walkthrough/page.html", **_body_values(explanation, pixels, layers))


def render_walkthrough_body(
    explanation: Explanation, pixels: Pixels | None = None, layers: Sequence[str] | None = None, prefix: str = ""
) -> str:
    """The content of the page, for interfaces with a page of their own.

    ``prefix`` starts every id, for pages with several walkthroughs. The content has no ``style`` attribute, and needs
    :func:`walkthrough_style` and :func:`walkthrough_script`.
    """
    return render("walkthrough/body.html", **_body_values(explanation, pixels, layers, prefix))


def walkthrough_title(explanation: Explanation) -> str:
    name = PurePath(explanation.source).name
    return f"How a network reads {name}" if name else "How a network reads a face"


def walkthrough_style() -> str:
    """The style sheet, which follows :func:`mien.html.style_sheet`."""
    return read_asset("walkthrough/walkthrough.css")


def walkthrough_script() -> str:
    """The script, which follows the content. It controls every walkthrough on the page."""
    return read_asset("walkthrough/walkthrough.js")


def render_overview(source: str, pixels: Pixels, faces: Sequence[Explanation], annotated: Pixels) -> str:
    """The page of an image with several faces or none; each face links to ``face-N/walkthrough.html``.

    ``annotated`` is the image with numbered faces.
    """
    name, many = PurePath(source).name, len(faces)
    alt = f"{name} with its {many} faces numbered" if many else f"The image {name}"
    photo = image_tag(shrink_image(annotated if many else pixels, _LONGEST), alt, file_format="webp")
    cards = [
        {
            "number": face.number,
            "image": Markup(image_tag(face.crop, f"face {face.number}")),
            "label": face.emotions.top,
            "labels": face.emotions.labels,
            "adjective": label_adjective(face.emotions.top),
            "probability": format_probability(face.emotions[face.emotions.top]),
        }
        for face in faces
    ]
    title = f"The faces in {name}"
    return render("walkthrough/overview.html", title=title, name=name, photo=Markup(photo), cards=cards)


def _body_values(
    explanation: Explanation, pixels: Pixels | None, layers: Sequence[str] | None, prefix: str = ""
) -> dict[str, object]:
    images = build_images(explanation, pixels, layers, prefix)
    parameters = sum(cost.parameters for cost in explanation.costs)
    facts = [PurePath(explanation.source).name] if explanation.source else []
    facts += [f"face {explanation.number}"] if explanation.number else []
    facts += [f"model {explanation.model}"] if explanation.model else []
    facts += [f"{format_count(parameters)} parameters"] if parameters else []
    title, steps = walkthrough_title(explanation), tuple(_build_steps(images))
    return {"title": title, "images": images, "facts": " · ".join(facts), "steps": steps}


def _build_steps(images: PageImages) -> Iterator[WalkthroughStep]:
    explanation = images.explanation
    if images.pixels is not None:
        yield layer_steps.photo_step(images)
    if images.pixels is not None and explanation.face is not None:
        yield layer_steps.face_step(images)
    yield layer_steps.crop_step(images)
    if explanation.kernels is not None and explanation.kernels.layer in images.sheets:
        yield layer_steps.kernels_step(images)
    for index, layer in enumerate(images.layers):
        if layer.name in images.sheets:
            yield layer_steps.maps_step(images, layer, index)
        elif layer_steps.is_pooled(layer):
            yield layer_steps.pooling_step(images, layer, index)
        elif layer_steps.is_hidden(images, index):
            yield layer_steps.hidden_step(images, layer, index)
    if explanation.contributions:
        yield prediction_steps.dense_step(images)
    if explanation.logits:
        yield prediction_steps.softmax_step(images)
    if explanation.maps:
        yield prediction_steps.evidence_step(images)
    yield prediction_steps.result_step(images)
    if explanation.costs:
        yield prediction_steps.network_step(images)
