"""The shapes of what goes in and comes out."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
TRUTH: Schema = {"type": "boolean"}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def several(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def thing(told: str = "", optional: tuple[str, ...] = (), **parts: Schema) -> Schema:
    """An object with these parts; all but the optional ones are always there."""
    always = [name for name in parts if name not in optional]
    return {"type": "object", **({"description": told} if told else {}), "properties": parts, "required": always}


def _shares(told: str) -> Schema:
    return {
        "type": "object",
        "description": told,
        "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
    }


def schemas() -> dict[str, Schema]:
    return {**_readings(), **_arrays(), **_inside(), **_films(), **_service(), **_deepface()}


def _readings() -> dict[str, Schema]:
    quality = thing("Is the face good enough to judge?", ok=TRUTH, reason=maybe(TEXT))
    face = thing(
        "One face and what its expression looks like.",
        box=several(WHOLE, minItems=4, maxItems=4, description="x, y, width, height in pixels of the upright picture"),
        detection=NUMBER,
        emotion={**TEXT, "description": "the label with the largest share"},
        scores=_shares("every label's share"),
        uncertain=maybe({**TEXT, "description": "why the reading is uncertain"}),
        quality=quality,
        track=maybe(WHOLE),
        mixture=_shares("the expressions that stand out together"),
        votes=maybe(_shares("what ten people would say")),
        landmarks=maybe(several(several(NUMBER, minItems=2, maxItems=2))),
    )
    picture = thing(
        "What `mien predict --json` prints for a picture. No face is an empty list.",
        source=TEXT,
        size=several(WHOLE, minItems=2, maxItems=2, description="width, height"),
        faces=several(ref("Face")),
        detector=TEXT,
        model=TEXT,
    )
    failed = thing("A picture that could not be read.", source=TEXT, error=TEXT)
    entry: Schema = {"anyOf": [thing(optional=("name",), name=TEXT, data=TEXT), TEXT]}
    sent = thing(
        "Pictures in base64, with or without `data:image/...;base64,`.",
        optional=("model", "detector", "min_face"),
        pictures=several(entry, minItems=1, maxItems=32),
        model=TEXT,
        detector=TEXT,
        min_face={**WHOLE, "minimum": 1},
    )
    either: Schema = {"anyOf": [ref("Picture"), ref("FailedPicture")]}
    return {
        "Face": face,
        "Picture": picture,
        "FailedPicture": failed,
        "Readings": thing(pictures=several(either)),
        "SentPictures": sent,
    }


def _arrays() -> dict[str, Schema]:
    array = thing(
        "Whole numbers from 0 to 255, row by row, in base64; `scale` names the colours they are places on.",
        optional=("scale", "strongest"),
        shape=several(WHOLE),
        data={**TEXT, "contentEncoding": "base64"},
        scale={"enum": ["sea", "ember", "tide"]},
        strongest=NUMBER,
    )
    mapped = {"allOf": [ref("Array"), thing(method=TEXT, target=TEXT, versus=maybe(TEXT))]}
    reach = thing(size=NUMBER, stride=NUMBER, offset=NUMBER, across=NUMBER)
    layer = {
        "allOf": [
            ref("Array"),
            thing(
                "A layer's strongest channels, and how many there are.",
                name=TEXT,
                kind=TEXT,
                channels=several(WHOLE),
                of=WHOLE,
                dead=WHOLE,
                reach=maybe(reach),
            ),
        ]
    }
    return {"Array": array, "Map": mapped, "LayerMaps": layer}


def _inside() -> dict[str, Schema]:
    arrays = thing(
        crop=ref("Array"), region_map=ref("Array"), maps=several(ref("Map")), layers=several(ref("LayerMaps"))
    )
    explanation = thing(
        "One face, and what the network made of it; see `mien explain --json`.",
        number=maybe(WHOLE),
        emotion=TEXT,
        scores=_shares("every label's share"),
        target=TEXT,
        versus=maybe(TEXT),
        logits={"type": "object", "additionalProperties": NUMBER},
        temperature=NUMBER,
        maps=several({"type": "object"}),
        layers=several({"type": "object"}),
        contributions=several({"type": "object"}),
        costs=several({"type": "object"}),
        flip=maybe({"type": "object"}),
        notes=several(TEXT),
        arrays=arrays,
    )
    look = thing(
        emotion=TEXT,
        scores=_shares("every label's share"),
        regions=maybe({"type": "object"}),
        crop=ref("Array"),
        map=maybe(ref("Map")),
        layers=several(ref("LayerMaps")),
    )
    return {
        "Explanation": explanation,
        "Explanations": thing(source=TEXT, size=several(WHOLE), explanations=several(ref("Explanation"))),
        "Look": thing(picture=ref("Picture"), look=maybe(look)),
    }


def _films() -> dict[str, Schema]:
    event = thing(person=WHOLE, label=TEXT, start=NUMBER, end=NUMBER, peak=NUMBER, peak_at=NUMBER)
    person = thing(
        person=WHOLE, first=NUMBER, last=NUMBER, seen=NUMBER, judged=NUMBER, looks=_shares("parts of the judged time")
    )
    found = thing(start=NUMBER, end=NUMBER, people=several(person), events=several(event))
    progress = {"seconds": NUMBER, "of": maybe(NUMBER), "frames": WHOLE, "frames_per_second": maybe(NUMBER)}
    later = {"size": several(WHOLE), **progress, "people": WHOLE, "events": WHOLE, "complaint": maybe(TEXT)}
    job = thing(
        "A film's job. What is known later is there later.",
        optional=(*later, "found"),
        id=TEXT,
        source=TEXT,
        state={"enum": ["waiting", "reading", "done", "failed", "cancelled"]},
        error=maybe(TEXT),
        results=several(TEXT),
        links={"type": "object", "additionalProperties": TEXT},
        **later,
        found=found,
    )
    return {"Job": job}


def _service() -> dict[str, Schema]:
    model = thing(
        name=TEXT,
        default=TRUTH,
        colours={"type": "object", "additionalProperties": {"type": "string", "pattern": "^#[0-9a-f]{6}$"}},
        card={"type": "object", "description": "what the model says about itself"},
    )
    problem = thing(
        "RFC 9457. `detail` is the sentence for people.",
        optional=("request_id", "error", "pictures"),
        type=TEXT,
        title=TEXT,
        status=WHOLE,
        detail=TEXT,
        request_id=maybe(TEXT),
        error={**TEXT, "description": "the kind of failure, such as SourceUnreadable"},
        pictures=several(ref("FailedPicture")),
    )
    return {
        "Models": thing(models=several(model), detector=TEXT),
        "Health": thing(status=TEXT, version=TEXT),
        "Ready": thing(status={"enum": ["ready", "full", "leaving"]}, model=TEXT, detector=TEXT),
        "Problem": problem,
    }


def _deepface() -> dict[str, Schema]:
    region = {"type": "object", "additionalProperties": maybe({"anyOf": [WHOLE, several(WHOLE)]})}
    face = thing(
        emotion={"type": "object", "additionalProperties": NUMBER, "description": "percentages"},
        dominant_emotion=TEXT,
        region=region,
        face_confidence=NUMBER,
    )
    asked = thing(
        "As DeepFace's own server takes it, but for paths and addresses.",
        optional=("actions", "detector_backend", "enforce_detection", "align", "anti_spoofing"),
        img={**TEXT, "description": "data:image/...;base64, and the picture"},
        actions=several({"enum": ["emotion"]}),
        detector_backend=TEXT,
        enforce_detection=TRUTH,
        align=TRUTH,
        anti_spoofing=TRUTH,
    )
    return {
        "DeepFaceResults": thing(results=several(face)),
        "DeepFaceAsked": asked,
        "DeepFaceError": thing(error=TEXT),
    }
