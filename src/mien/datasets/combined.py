"""Several sources combined into one data set: CK+, RAF-DB or AffectNet beside FER2013, each with its own label map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.datasets import label_maps, loading
from mien.datasets.dataset import USAGES, FaceDataset, LabelMap, Problem, Progress
from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError, suggest_name
from mien.models import ModelCard


def combine_sources(
    sources: Iterable[SourceSettings], group: str = "", progress: Progress | None = None
) -> FaceDataset:
    """The faces of all sources, one after the other; their problems name the source.

    ``group`` is the name of the group column of every source; groups of different sources stay different.
    """
    parts = [_load_source(source, number, group, progress) for number, source in enumerate(sources)]
    if not parts:
        raise ExperimentError("No source is named", "one path or more was expected", "")
    return FaceDataset(
        np.concatenate([faces.pixels for faces in parts]),
        np.concatenate([faces.labels for faces in parts]),
        np.concatenate([faces.usage for faces in parts]),
        np.concatenate([faces.votes for faces in parts]),
        tuple(problem for faces in parts for problem in faces.problems),
        groups=np.concatenate([faces.groups for faces in parts if faces.groups is not None]) if group else None,
    )


def _load_source(source: SourceSettings, number: int, group: str, progress: Progress | None) -> FaceDataset:
    faces = loading.load_dataset(source.path, labels=source.labels, group=group or None, progress=progress).faces
    return replace(
        faces,
        problems=tuple(Problem(problem.row, f"{source.path}: {problem.reason}") for problem in faces.problems),
        usage=np.full(len(faces), source.usage) if source.usage else faces.usage,
        groups=None if faces.groups is None else np.array([f"{number}/{name}" for name in faces.groups], np.str_),
    )


def load_training_faces(
    settings: DataSettings, folder: Path, path: str | Path | None = None, progress: Progress | None = None
) -> FaceDataset:
    """The faces of the settings' sources, whose paths are relative to ``folder``; an error where there is no source.

    With ``path`` the faces there are loaded instead, with the label map, split and group column of the settings.
    """
    if path is not None:
        labels = {label: ours for source in settings.sources for label, ours in source.labels.items()}
        usages = {source.usage for source in settings.sources}
        source = SourceSettings(str(path), labels, usages.pop() if len(usages) == 1 else "")
        return combine_sources([source], settings.group, progress)
    sources = [source for source in settings.sources if source.path]
    if not sources:
        remedy = "Add --data fer2013.csv; 'mien data sample FOLDER' draws faces to try"
        raise ExperimentError("The recipe has no data", "[[data.sources]] or --data was expected", remedy)
    unknown = [source.usage for source in sources if source.usage not in ("", *USAGES)]
    if unknown:
        expected = f"one of {', '.join(USAGES)} was expected"
        raise ExperimentError(f"A source's usage is '{unknown[0]}'", expected, suggest_name(unknown[0], USAGES))
    for source in sources:
        label_maps.check_label_map(source.labels)
    sources = [replace(source, path=str(folder / source.path)) for source in sources]
    return combine_sources(sources, settings.group, progress)


def load_evaluation_faces(
    card: ModelCard, path: str | Path, labels: LabelMap | None = None, progress: Progress | None = None
) -> FaceDataset:
    """The faces at ``path``, with the group column of the model's recipe where the data has it."""
    settings = card.recipe.get("data") if isinstance(card.recipe, Mapping) else None
    group = settings.get("group") if isinstance(settings, Mapping) else None
    source = SourceSettings(str(path), labels or {})
    if isinstance(group, str) and group:
        with suppress(ExperimentError):  # data without the column can be evaluated, without validation faces
            return combine_sources([source], group, progress)
    return combine_sources([source], progress=progress)
