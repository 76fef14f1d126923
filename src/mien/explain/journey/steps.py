"""The steps of the journey, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mien.explain.journey import answer, arrival, evidence, layers, totals
from mien.explain.journey.step import Step as Step

if TYPE_CHECKING:
    from mien.explain.journey.scene import Scene


def steps_of(scene: Scene) -> tuple[Step, ...]:
    return tuple(_steps(scene))


def _steps(scene: Scene) -> Iterator[Step]:
    if scene.pixels is not None:
        yield arrival.picture(scene)
    if scene.pixels is not None and scene.told.face is not None:
        yield arrival.face(scene)
    yield arrival.crop(scene)
    if scene.told.kernels is not None and scene.told.kernels.layer in scene.atlases:
        yield layers.filters(scene)
    for place, layer in enumerate(scene.layers):
        if layer.name in scene.atlases:
            yield layers.maps(scene, layer, place)
        elif layers.is_pooled(layer):
            yield totals.pooled(scene, layer, place)
        elif layers.is_hidden(scene, place):
            yield totals.hidden(scene, layer, place)
    if scene.told.contributions:
        yield answer.dense(scene)
    if scene.told.logits:
        yield answer.softmax(scene)
    if scene.told.maps:
        yield evidence.where(scene)
    yield answer.result(scene)
    if scene.told.costs:
        yield totals.network(scene)
