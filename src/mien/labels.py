"""The words, and nothing about how they are found: label order, emoji, colours and the names other people use."""

#: FER2013's seven expressions, in FER2013's order. Every share, column and confusion matrix follows it.
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

#: What FER+ asked ten people: the same seven, in the same order, and contempt.
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

#: Labels that are nouns need their adjective after "looks"; any other stands as it is.
_ADJECTIVES = {
    "disgust": "disgusted",
    "fear": "afraid",
    "surprise": "surprised",
    "contempt": "contemptuous",
}

#: For labels we have never heard of.
_SPARE_COLOURS = ("#2a9d8f", "#c77dff", "#ff7f51", "#4895ef", "#b5838d", "#90a955", "#f15bb5", "#8d6e63")


def label_emoji(label: str) -> str:
    """A small face for a label; a plain dot for a label that is not one of ours."""
    return _EMOJI.get(normalize_label(label), "•")


def label_colour(label: str, among: tuple[str, ...] = ()) -> str:
    """``#rrggbb`` for a label, the same in every window.

    ``among`` are a model's labels: those we do not know take the spare colours in turn, so that no two share one
    until the spare ones run out. Without it, an unknown label has a steady colour that another may have too.
    """
    if known := _COLOURS.get(normalize_label(label)):
        return known
    unknown = [each for each in among if normalize_label(each) not in _COLOURS]
    place = unknown.index(label) if label in unknown else sum(map(ord, label))
    return _SPARE_COLOURS[place % len(_SPARE_COLOURS)]


def label_adjective(label: str) -> str:
    """The word that follows "looks": ``afraid`` for fear, ``happy`` for happy, whatever other word stands for it."""
    return _ADJECTIVES.get(normalize_label(label), label)


def normalize_label(name: str) -> str:
    """The FER2013 word for what a data set, a folder or a person calls it; other words come back in lower case."""
    word = name.strip().lower()
    return _ALIASES.get(word, word)
