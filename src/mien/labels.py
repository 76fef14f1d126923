"""Labels of expressions: their order, colours, emoji and adjectives, and the names that other data sets use."""

#: FER2013's seven expressions in FER2013's order. Scores, columns and confusion matrices follow this order.
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

#: The labels of FER+ votes: the same seven in the same order, and contempt.
VOTES = (*EMOTIONS, "contempt")

_EMOJI = {
    "angry": "😠",
    "disgust": "🤢",
    "fear": "😨",
    "happy": "😊",
    "sad": "😢",
    "surprise": "😮",
    "neutral": "😐",
    "contempt": "😏",
}

_COLOURS = {
    "angry": "#d1495b",
    "disgust": "#6a994e",
    "fear": "#8367c7",
    "happy": "#edae49",
    "sad": "#3d7ea6",
    "surprise": "#e07a3f",
    "neutral": "#8d99ae",
    "contempt": "#a97155",
}

#: Colours of labels that are not in ``_COLOURS``.
_OTHER_COLOURS = ("#2a9d8f", "#c77dff", "#ff7f51", "#4895ef", "#b5838d", "#90a955", "#f15bb5", "#8d6e63")

_ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "afraid": "fear",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "calm": "neutral",
}

#: The adjectives of labels that are nouns; other labels are adjectives already.
_ADJECTIVES = {
    "disgust": "disgusted",
    "fear": "fearful",
    "surprise": "surprised",
    "contempt": "contemptuous",
}


def label_emoji(label: str) -> str:
    """An emoji for a label; a dot for a label that is not one of :data:`VOTES`."""
    return _EMOJI.get(normalize_label(label), "•")


def label_colour(label: str, among: tuple[str, ...] = ()) -> str:
    """``#rrggbb`` for a label, the same in every app.

    ``among`` are the labels of the model: those that are not in :data:`VOTES` take the other colours in turn, so that
    two labels share one only when there are more labels than colours. Without ``among`` the colour of such a label is
    stable, but another label may have it too.
    """
    if colour := _COLOURS.get(normalize_label(label)):
        return colour
    others = [other for other in among if normalize_label(other) not in _COLOURS]
    index = others.index(label) if label in others else sum(map(ord, label))
    return _OTHER_COLOURS[index % len(_OTHER_COLOURS)]


def label_adjective(label: str) -> str:
    """The adjective after "looks": ``fearful`` for fear, ``happy`` for happy; other labels are returned unchanged."""
    return _ADJECTIVES.get(normalize_label(label), label)


def normalize_label(name: str) -> str:
    """The FER2013 label for a name that another data set uses; other names are returned in lower case."""
    label = name.strip().lower()
    return _ALIASES.get(label, label)
