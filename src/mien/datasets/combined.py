"""Several sources as one: CK+, RAF-DB and AffectNet beside FER2013, each with its own words for the classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.datasets import label_maps, loading
from mien.datasets.dataset import USAGES, FaceDataset, LabelMap, Problem, Progress
from mien.errors import LabError, nearest
from mien.models import ModelCard
from mien.training.recipe import Recipe


@dataclass(frozen=True)
class Part:
    """One of several: where it is, what its words mean, and which split all of its faces go to, if not their own."""

    path: str | Path
    labels: LabelMap = field(default_factory=dict)
    usage: str = ""


def combine_sources(parts: Iterable[Part], group: str = "", progress: Progress | None = None) -> FaceDataset:
    """The faces of all parts, one after the other. Their problems say which part they are of.

    ``group`` names the column that says who is who, in every part; nobody of one part is taken for one of another.
    """
    read = [_read(part, number, group, progress) for number, part in enumerate(parts)]
    if not read:
        raise LabError("No source is named", "one path or more was expected", "")
    return FaceDataset(
        np.concatenate([faces.pixels for faces in read]),
        np.concatenate([faces.labels for faces in read]),
        np.concatenate([faces.usage for faces in read]),
        np.concatenate([faces.votes for faces in read]),
        tuple(problem for faces in read for problem in faces.problems),
        groups=np.concatenate([faces.groups for faces in read if faces.groups is not None]) if group else None,
    )


def _read(part: Part, number: int, group: str, progress: Progress | None) -> FaceDataset:
    found = loading.load_dataset(part.path, labels=part.labels, group=group or None, progress=progress)
    faces = found.faces
    problems = tuple(Problem(problem.row, f"{part.path}: {problem.reason}") for problem in faces.problems)
    usage = np.full(len(faces), part.usage) if part.usage else faces.usage
    groups = None if found.groups is None else np.array([f"{number}/{word}" for word in found.groups], np.str_)
    return FaceDataset(faces.pixels, faces.labels, usage, faces.votes, problems, groups=groups)


def load_recipe_faces(recipe: Recipe, progress: Progress | None = None) -> FaceDataset:
    """The faces that a recipe's own sources name; a LabError where it names none, or one with unknown words."""
    wanted = [source for source in recipe.data.sources if source.path]
    if not wanted:
        remedy = "Add --data fer2013.csv; 'mien data sample FOLDER' draws some to try"
        raise LabError("The recipe does not say where its faces are", "[[data.sources]] or --data was expected", remedy)
    strange = [source.usage for source in wanted if source.usage not in ("", *USAGES)]
    if strange:
        known = f"known are {', '.join(USAGES)}"
        raise LabError(f"A source's usage is '{strange[0]}'", known, nearest(strange[0], USAGES))
    for source in wanted:
        label_maps.check_label_map(source.labels)
    parts = [Part(recipe.beside(source.path), source.labels, source.usage) for source in wanted]
    return combine_sources(parts, recipe.data.group, progress)


def load_run_faces(recipe: Recipe, path: str | Path | None, progress: Progress | None = None) -> FaceDataset:
    """The faces of a recipe's own sources, or those at ``path`` in their stead, read as its own were: the same words,
    the same column that says who is who.
    """
    if path is None:
        return load_recipe_faces(recipe, progress)
    own = recipe.data.sources
    labels = {word: label for source in own for word, label in source.labels.items()}
    usages = {source.usage for source in own}
    return combine_sources([Part(path, labels, usages.pop() if len(usages) == 1 else "")], recipe.data.group, progress)


def load_evaluation_faces(
    card: ModelCard, path: str | Path, labels: LabelMap | None = None, progress: Progress | None = None
) -> FaceDataset:
    """The faces at ``path``, with the column that told the model's recipe who is who, where the data has it too."""
    table = card.recipe.get("data") if isinstance(card.recipe, Mapping) else None
    group = table.get("group") if isinstance(table, Mapping) else None
    part = Part(path, labels or {})
    if isinstance(group, str) and group:
        with suppress(LabError):  # other data can be measured all the same; nobody is held out of it
            return combine_sources([part], group, progress)
    return combine_sources([part], progress=progress)
