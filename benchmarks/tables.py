"""Writes the tables that people read from the result files that benchmarks wrote.

    python benchmarks/tables.py            rewrite every marked section
    python benchmarks/tables.py --check    exit 1 when one of them is not what the results say

A section stands between ``<!-- table:NAME -->`` and ``<!-- /table:NAME -->`` in README.md, docs/, benchmarks/README.md
and results/video.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SECTION = re.compile(r"<!-- table:(?P<name>[\w-]+) -->\n(?P<body>.*?)<!-- /table:(?P=name) -->", re.DOTALL)
Figures = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a table is not current")
    check = parser.parse_args().check
    stale = {path: text for path in pages() if (text := current(path)) != path.read_text(encoding="utf-8")}
    for path, text in stale.items():
        print(f"{'not current' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


def pages() -> list[Path]:
    places = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", RESULTS / "video.md"]
    return [*places, *sorted((ROOT / "docs").rglob("*.md")), *sorted(RESULTS.glob("*.md"))]


def current(path: Path) -> str:
    """The page as it should be."""
    return SECTION.sub(section, path.read_text(encoding="utf-8"))


def section(found: re.Match[str]) -> str:
    name = found["name"]
    return f"<!-- table:{name} -->\n{render(name)}\n<!-- /table:{name} -->"


def render(name: str) -> str:
    result, draw = TABLES[name]
    place = RESULTS / f"{result}.json"
    if not place.exists():
        return "*Not measured yet.*"
    told = json.loads(place.read_text(encoding="utf-8"))
    return f"{draw(told['figures'])}\n\n{origin(told)}"


def origin(told: Figures) -> str:
    machine = told["machine"]
    processor = re.sub(r"\s+", " ", machine["processor"]).strip()
    return f"*{told['date']}, commit {told['commit']}, {processor}, {machine['cores']} cores: `{told['command']}`*"


def table(header: Sequence[str], rows: Iterator[Sequence[object]] | Sequence[Sequence[object]]) -> str:
    right = "|---|" + "---:|" * (len(header) - 1)
    lines = [f"| {' | '.join(header)} |", right]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def speed(figures: Figures) -> str:
    """What the issue of speed is about, beside its targets: (figure, what people call it, unit, sign of the target)."""
    wanted = figures["targets"]
    rows = [
        ("import_s", "`import mien`", "s", "<"),
        ("import_mb", "memory after `import mien`", "MB", "<"),
        ("import_engine_s", "`from mien import Engine`", "s", ""),
        ("process_s", "`mien predict photo.jpg`, the whole process", "s", "<"),
        ("yunet_photos_per_s", "a folder of 640 px photos, yunet", "photos/s", "≥"),
        ("haar_photos_per_s", "a folder of 640 px photos, haar", "photos/s", "≥"),
        ("yunet_read_ms", "`engine.read`, one face, yunet", "ms", "<"),
        ("haar_read_ms", "`engine.read`, one face, haar", "ms", "<"),
        ("model_ms", "the network alone, one face, one core", "ms", ""),
        ("installed_mb", "a fresh environment with mien", "MB", "≤"),
    ]
    lines = [
        (words, f"{figures[name]} {unit}", f"{sign} {wanted[name]} {unit}" if name in wanted else "")
        for name, words, unit, sign in rows
        if name in figures
    ]
    return table(["", "measured", "target"], [*lines, *(memory(figures, detector) for detector in ("yunet", "haar"))])


def memory(figures: Figures, detector: str) -> tuple[str, str, str]:
    photos = figures["photos"]
    words = f"memory after {photos // 5} and {photos * 19 // 20} photos, {detector}"
    return words, f"{figures[f'{detector}_mb_at_a_fifth']}, {figures[f'{detector}_mb_at_the_end']} MB", "flat"


def peers(figures: Figures) -> str:
    columns = {"mien_yunet": "mien, yunet", "mien_haar": "mien, haar", "fer": f"fer {figures['fer']['version']}"}
    rows = [
        ("photos_per_s", "photos/s, one after the other"),
        ("photos_per_s_read_many", "photos/s, `read_many`"),
        ("ms_a_face", "ms a face: crop and network"),
        ("first_reading_s", "import to first reading, s"),
        ("installed_mb", "installed, MB"),
        ("photos_with_a_face", f"photos with a face found, of {figures['photos']}"),
    ]
    body = [[words, *(figures[column].get(name, "") for column in columns)] for name, words in rows]
    return table(["", *columns.values()], body)


def accuracy(figures: Figures) -> str:
    """The default model, and beside it the others that are embedded; where those come from, their cards tell."""
    models = [figures, *beside("small", "classic")]
    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("accuracy, seven expressions", of_public("accuracy")),
        ("its 95 % interval", lambda each: "{:.1f} to {:.1f}".format(*(100 * end for end in each["public"]["ci95"]))),
        ("accuracy without faces that have a twin in training", of_public("accuracy_no_twins")),
        ("balanced accuracy (mean recall)", of_public("balanced_accuracy")),
        ("accuracy on the 70 % it is surest of", of_public("accuracy_surest_70")),
        ("names what most of ten people said (FER+), eight expressions", of_public("votes_accuracy")),
        ("calibration error (ECE)", lambda each: f"{each['public']['ece']:.3f}"),
        ("parameters", lambda each: f"{each['model']['parameters']:,}"),
        ("file, MB", lambda each: f"{each['model']['bytes'] / 1e6:.2f}"),
        ("one face on one core, ms", lambda each: f"{each['one_face_one_core_ms']['median']:.2f}"),
    ]
    header = [f"PublicTest, {figures['public']['faces']:,} faces", *(each["model"]["name"] for each in models)]
    return table(header, [(words, *map(told, models)) for words, told in rows])


def of_public(key: str) -> Callable[[Figures], str]:
    """A share of PublicTest's score sheet; nothing for a model that has no such head."""
    return lambda each: percent(each["public"][key]) if key in each["public"] else ""


def beside(*names: str) -> Iterator[Figures]:
    """The figures of other models that were measured."""
    for name in names:
        place = RESULTS / f"accuracy-{name}.json"
        if place.exists():
            yield json.loads(place.read_text(encoding="utf-8"))["figures"]


def classes(figures: Figures) -> str:
    rows = [
        (label, row["support"], percent(row["precision"]), percent(row["recall"]), f"{row['f1']:.2f}")
        for label, row in figures["public"]["per_class"].items()
    ]
    return table(["expression", "faces", "right when it says so", "found when it is so", "F1"], rows)


def spoilt(figures: Figures) -> str:
    rows = [
        (row["corruption"], row["strength"], percent(row["accuracy"]), f"{100 * row['lost']:.1f}")
        for row in figures["held_out_spoilt"]
    ]
    return table(["held-out faces with", "strength", "accuracy", "points lost"], rows)


def framing(figures: Figures) -> str:
    rows = [
        (detector, around, percent(row["found"]), *(f"{row[name]['median']:.3f}" for name in ("scale", "dx", "dy")))
        for detector, kinds in figures.items()
        if detector != "levelling"
        for around, row in kinds.items()
    ]
    return table(["detector", "the face stands in", "found", "scale", "dx", "dy"], rows)


def levelling(figures: Figures) -> str:
    rows = [
        (turned, slope, row["faces"], *(percent(row[name]) for name in ("bare", "as it leans", "levelled")))
        for turned, slopes in figures["levelling"].items()
        for slope, row in slopes.items()
        if isinstance(row, dict)
    ]
    header = ["pictures", "eyes slope by", "faces", "face alone", "cut as it leans", "cut with level eyes"]
    return table(header, rows)


def scenes(figures: Figures) -> str:
    rows = [
        (
            detector,
            f"{row['faces']:,}",
            percent(row["found"]),
            row["false_faces_per_100_scenes"],
            percent(row["score_on_found"]),
            percent(row["read_on_found"]),
            f"{row['points_lost']:.1f}",
        )
        for detector, row in figures.items()
        if isinstance(row, dict)
    ]
    header = ["detector", "scenes", "found", "false hits per 100", "`score` on the found", "`read`", "points lost"]
    return table(header, rows)


def recipes(figures: Figures) -> str:
    """Every recipe that was followed to its end, the most accurate first; fewer classes are an easier question."""
    rows = [(name, told, run) for name, told in figures.items() for run in [told["runs"][0]]]
    rows.sort(key=lambda row: (-row[1]["classes"], -mean(row[1], "accuracy")))
    return table(
        ["recipe", "PublicTest", "seeds", "no twins", "balanced", "epochs", "training", "parameters", "write-ups"],
        [
            (
                f"[{name}](../recipes/{name}.toml){but(told)}",
                percent(mean(told, "accuracy")),
                len(seeds(told)),
                percent(mean(told, "accuracy_no_twins")),
                percent(mean(told, "balanced_accuracy")),
                f"{run['epochs']} of {run['planned']}" + (", shortened" if run["shortened"] else ""),
                minutes(mean(told, "seconds")),
                f"{told['parameters'] / 1e6:.1f} M",
                CLAIMS.get(told["net"], ""),
            )
            for name, told, run in rows
        ],
    )


def but(told: Figures) -> str:
    """What sets a recipe's figures apart from the others'."""
    classes = ", five classes" if told["classes"] == 5 else ""
    first = told["runs"][0]
    begun = f", from {first['weights']}" if first.get("weights") else ""
    return classes + begun + (", with teachers" if first["targets"] else "")


#: What popular write-ups claim for nets of such a kind; ours began without weights from elsewhere.
CLAIMS = {
    **dict.fromkeys(("basic", "batchnorm"), "50, 65-70, 66 %"),
    **dict.fromkeys(("vgg16", "resnet50v2", "mobilenetv2", "efficientnetb0"), "75-85 %, with transfer"),
}


def seeds(told: Figures) -> list[Figures]:
    """The runs that count: those in full, or where there are none all."""
    return [run for run in told["runs"] if not run["shortened"]] or told["runs"]


def mean(told: Figures, key: str) -> float:
    runs = seeds(told)
    return float(sum(run[key] for run in runs) / len(runs))


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def explain(figures: Figures) -> str:
    """What looking inside costs, beside its targets."""
    wanted = figures["targets"]
    rows = [
        ("cam_adds_ms", "a class map, on top of a reading", "ms", "<"),
        ("occlusion_ms", "occlusion", "ms", "<"),
        ("rise_ms", "RISE, 500 masks", "ms", "<"),
        ("looks_per_s", "`engine.look`: layers, shares and class map", "faces/s", "≥"),
        ("journey_ms", "the walkthrough page of one face, from the image file to the HTML", "ms", "<"),
        ("all_layers_ms", "activations of every layer", "ms", ""),
        ("occlusion_and_flip_ms", "occlusion, and the smallest part that changes the answer", "ms", ""),
        ("first_explanation_ms", "the first explanation, two faces found and the model opened", "ms", ""),
    ]
    lines = [
        (words, f"{figures[name]} {unit}", f"{sign} {wanted[name]} {unit}" if name in wanted else "")
        for name, words, unit, sign in rows
        if name in figures
    ]
    return table([f"{figures['model']}, two cores", "measured", "target"], lines)


def audit(figures: Figures) -> str:
    """Every method and baseline of every model that was audited."""
    header = ["map", "deletion, low is good", "insertion, high is good", "beats", "noise", "shuffled", "to be believed"]
    rows = [audited(model, name, row) for model, told in figures.items() for name, row in maps_of(told)]
    verdicts = "\n\n".join(told["verdict"] for told in figures.values())
    return f"{table(header, rows)}\n\n{verdicts}"


def maps_of(told: Figures) -> Iterator[tuple[str, Figures]]:
    yield from told["methods"].items()
    yield from told["baselines"].items()


def audited(model: str, name: str, row: Figures) -> Sequence[str]:
    areas = ["{:.3f} ({:.3f} to {:.3f})".format(*row[curve]) for curve in ("deletion", "insertion")]
    if "against" not in row:
        return [f"{model}: {name}", *areas, "", "", "", ""]
    beats = [other for other, gain in row["against"].items() if all(low > 0 for _, low, _ in gain.values())]
    steady, last = row["stability"][0], row["shuffled"][-1]["likeness"]
    believed = "yes" if row["believable"] else "no"
    return [f"{model}: {name}", *areas, ", ".join(beats) or "none", f"{steady:.2f}", f"{last:.2f}", believed]


def steadying(figures: Figures) -> str:
    rows = [
        (
            name,
            row["setting"],
            row["label_changes_per_minute"],
            row["shown_changes_per_minute"],
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            percent(row["late"]),
            f"{row['off_by']:.3f}",
        )
        for name, row in figures["ways"].items()
    ]
    header = [
        "way of steadying",
        "best setting",
        "label changes a minute",
        "with question marks",
        "delay, median ms",
        "95 %, ms",
        "later than 200 ms",
        "shares off by",
    ]
    return table(header, rows)


def steadying_rates(figures: Figures) -> str:
    rows = [
        (
            f"{rate} frames/s",
            row["label_changes_per_minute"],
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            percent(row["late"]),
        )
        for rate, row in figures["rates"].items()
    ]
    return table(["mien's filter at", "label changes a minute", "delay, median ms", "95 %, ms", "> 200 ms"], rows)


def live(figures: Figures) -> str:
    rows = [
        (
            name,
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            f"< {figures['target_ms']}",
            row["rate"],
            row.get("looks_per_s") or "",
            row["left_out"],
            row["cores"],
        )
        for name, row in figures["shown"].items()
    ]
    header = [
        "detector",
        "delay, median ms",
        "95 %, ms",
        "target",
        "frames read/s",
        "looks inside/s",
        "left out",
        "cores",
    ]
    # Whoever shares the machine is in the figures: say so.
    told = f"\n\nThe machine's load was {figures['load']} meanwhile: other work ran on it."
    return table(header, rows) + (told if figures["load"] > 3 else "")


def training(figures: Figures) -> str:
    """Images a second of each way to train, with both clocks."""
    ways = {"keras": "stock Keras", "mien": "mien", "torch": "plain PyTorch"}
    measured = [figures["two_cores"]["images_per_s"], figures["one_core"]["images_per_s"]]
    rows = [
        (f"{ways[who]}, {kind}", *(f"{speeds[f'{who}_{kind}']:.0f}" for speeds in measured))
        for kind in ("bfloat16", "float32")
        for who in ways
        if all(f"{who}_{kind}" in speeds for speeds in measured)
    ]
    if all("mien_bfloat16_augmented" in speeds for speeds in measured):
        rows.append(
            ("mien, bfloat16, with all augmentation", *(f"{each['mien_bfloat16_augmented']:.0f}" for each in measured))
        )
    wanted = figures["targets"]
    for key, words in (
        ("of_stock_keras", "mien, times stock Keras, bfloat16"),
        ("of_torch", "mien, times PyTorch, bfloat16"),
    ):
        told = (f"{figures[cores][key]:.2f} (wanted {wanted[key]})" for cores in ("two_cores", "one_core"))
        rows.append((words, *told))
    return table(["images a second", "two cores, by the wall's clock", "one thread, by its own time"], rows)


def data(figures: Figures) -> str:
    """How long a start waits for its faces, beside what was wanted."""
    return table(
        ["", "seconds", "wanted", "memory at most", "wanted"],
        [
            (
                words,
                f"{figures[key]['import_seconds'] + figures[key]['read_seconds']:.2f}",
                f"< {seconds}",
                f"{figures[key]['most_mb']} MB",
                megabytes,
            )
            for key, words, seconds, megabytes in (
                ("csv", f"fer2013.csv, {figures['megabytes']} MB, with the votes beside it", "5", "< 1,000 MB"),
                ("cached", "the same at the next start", "0.5", ""),
            )
        ],
    )


def backends(figures: Figures) -> str:
    rows = [
        (
            f"{name} {told['version']}",
            percent(told["accuracy"]),
            f"{told['seconds']} s",
            "yes" if told["resumed_differs_by"] == 0 else f"no, {told['resumed_differs_by']:.0e} apart",
        )
        for name, told in figures.items()
        if isinstance(told, dict)
    ]
    return table(["", "PublicTest of the drawn faces", "ten epochs", "goes on to the same bits, in float32"], rows)


def transfer(figures: Figures) -> str:
    epochs = len(next(iter(figures["held_out"].values())))
    rows = [(f"from {name}", *map(percent, each)) for name, each in figures["held_out"].items()]
    return table(["", *(f"epoch {number + 1}" for number in range(epochs))], rows)


def views(figures: Figures) -> str:
    rows = []
    for name, found in figures.items():
        for number, told in found.items():
            shares = (percent(told[key]) for key in ("accuracy", "balanced_accuracy"))
            spent = told["one_face_one_core_ms"]["median"]
            rows.append((name, number, *shares, f"{told['nll']:.3f}", f"{spent:.2f} ms"))
    return table(["", "views", "held-out faces", "balanced", "log loss", "one face, one core"], rows)


def tracking(figures: Figures) -> str:
    """Both detectors, as films are followed and with every frame searched, which is the slow way to compare with."""
    rows = [
        (
            f"{detector}, {'as in mien' if way == 'followed' else 'every frame searched'}",
            f"{row['all']['idf1']:.3f}",
            row["all"]["switches"],
            row["switches_on_simple_crossings"],
            row["all"]["fragments"],
            f"{row['all']['numbers']} for {row['all']['people']}",
            percent(row["all"]["missed"]),
            percent(row["all"]["false"]),
            row["all"]["ms_a_frame"],
        )
        for detector in ("yunet", "haar")
        for way, row in figures[detector].items()
    ]
    header = ["detector", "IDF1", "switches", "on simple crossings", "gaps", "numbers", "missed", "false", "ms a frame"]
    return table(header, rows)


def tracking_scenes(figures: Figures) -> str:
    names = figures["yunet"]["followed"]["scenes"]
    rows = [
        (
            name,
            *(cell for detector in ("yunet", "haar") for cell in _scene(figures[detector]["followed"]["scenes"][name])),
        )
        for name in names
    ]
    return table(["film", "yunet: IDF1", "switches", "gaps", "haar: IDF1", "switches", "gaps"], rows)


def _scene(row: Figures) -> tuple[str, int, int]:
    return f"{row['idf1']:.3f}", row["switches"], row["fragments"]


def video(figures: Figures) -> str:
    targets = figures["targets"]
    wanted = (
        ("yunet_read", "read, yunet", f"≥ {targets['yunet']}, aim {targets['yunet_aim']}"),
        ("haar_read", "read, haar", f"≥ {targets['haar']}"),
        ("yunet_read_without_pyav", "read, yunet, decoded by OpenCV", ""),
        ("yunet_annotated_mp4", "read, painted, written as mp4, yunet", f"≥ {targets['yunet_annotated']}"),
        ("haar_annotated_mp4", "read, painted, written as mp4, haar", ""),
        ("yunet_annotated_webm_without_pyav", "read, painted, written as webm by OpenCV, yunet", ""),
        ("yunet_hour", f"read, yunet, {figures['hour_minutes']} minutes", ""),
        ("yunet_minute", "read, yunet, one minute", ""),
        ("fer", "fer's `Video.analyze`", ""),
    )
    rows = [
        (name, row["frames_per_s"], target, row.get("cpu_ms_a_frame", ""), row.get("peak_mb", ""), row["load"])
        for key, name, target in wanted
        if (row := figures.get(key))
    ]
    header = ["", "frames/s", "target", "processor, ms a frame", "memory, MB", "load of the machine"]
    return table(header, rows)


def video_shares(figures: Figures) -> str:
    told = {name: figures.get(f"{name}_shares_ms_a_frame", {}) for name in ("yunet", "haar")}
    rows = [(stage, told["yunet"][stage], told["haar"].get(stage, "")) for stage in told["yunet"] if stage != "load"]
    return table(["ms of one core for a frame", "yunet", "haar"], rows)


def web(figures: Figures) -> str:
    """The service under load, beside its targets; then what waiting at the model brings, memory, and the start."""
    wanted = figures["targets"]
    aims = {("yunet", "4"): f"{wanted['yunet_requests_per_s']}", ("haar", "4"): f"{wanted['haar_requests_per_s']}"}
    rows = [
        (
            f"{detector}, {clients} client{'s' * (clients != '1')}",
            row["requests_per_s"],
            aims.get((detector, clients), ""),
            *(f"{row[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            row["errors"],
        )
        for detector in ("yunet", "haar")
        for clients, row in figures.get(detector, {}).items()
    ]
    header = ["one face, 640 × 480", "requests/s", "aim", "median, ms", "95 %, ms", "99 %, ms", "errors"]
    rest = figures.get("rest")
    told = [f"All but the memory is of commit {rest['commit']}, by `{rest['command']}`."] if rest else []
    return "\n\n".join([table(header, rows), table(*web_windows(figures)), table(*web_rest(figures)), *told])


def web_windows(figures: Figures) -> tuple[list[str], list[Sequence[object]]]:
    rows = [
        (f"{window} ms", row["requests_per_s"], f"{row['p95_ms']:.0f}", row["faces_a_run"])
        for window, row in figures["windows"].items()
    ]
    return ["16 clients; a busy model waits for more faces", "requests/s", "95 %, ms", "faces in a run"], rows


def web_rest(figures: Figures) -> tuple[list[str], list[Sequence[object]]]:
    held, wanted = figures["memory"], figures["targets"]
    rows: list[Sequence[object]] = [
        ("start to first answer", f"{figures['start_s']} s", f"< {wanted['start_s']:g} s"),
        (f"memory after a tenth of {held['requests']:,} requests", f"{held['mb'][0]:.0f} MB", ""),
        ("memory after all of them", f"{held['mb'][-1]:.0f} MB", f"< {wanted['growth_percent']} % more"),
        ("errors among them", held["errors"], 0),
    ]
    return ["", "measured", "target"], rows


#: What is told of each window: the figure, by its names in the result file; its words and unit; what was aimed at.
WINDOWS = (
    ("desktop", ("start_seconds", "visible"), "from the command until the window is there", "s", ""),
    ("desktop", ("start_seconds", "answers"), "until it answers a key", "s", "< 1.2"),
    ("desktop", ("deaf_ms", "median"), "longest wait for an event while 24 megapixels are read, median", "ms", "< 50"),
    ("desktop", ("deaf_ms", "longest"), "the same, the longest of all", "ms", "< 50"),
    ("desktop", ("inside_per_second",), "the inside of the network, with the camera, a second", "", "≥ 10"),
    ("desktop", ("memory", "frames"), "frames of a camera, one after the other", "", ""),
    ("desktop", ("memory", "after_a_tenth_mb"), "memory after a tenth of them", "MB", ""),
    ("desktop", ("memory", "after_all_mb"), "memory after all of them", "MB", "flat"),
    *(
        (name, *rest)
        for name in ("gradio", "streamlit")
        for rest in (
            (("address_seconds",), "from the command until somebody answers", "s", ""),
            (("first_page_seconds",), "from the command until the page can be used", "s", "< 6"),
            (("first_photo_seconds",), "from a photo to its result, the first one", "s", ""),
            (("idle_mb",), "memory to begin with", "MB", ""),
            (("warm_mb",), "memory after the first pictures", "MB", ""),
            (("after_mb",), "memory after 200 more", "MB", "flat"),
        )
    ),
    ("gradio", ("camera", "frames"), "frames of a camera, as fast as they are read", "", ""),
    ("gradio", ("camera", "grown_mb"), "memory grown by", "MB", "flat"),
)


def windows(figures: Figures) -> str:
    rows = [
        (name, words, f"{value:,} {unit}".strip(), aim)
        for name, path, words, unit, aim in WINDOWS
        if (value := _within(figures.get(name, {}), path)) is not None
    ]
    loads = [f"{name} {told['load']}" for name, told in figures.items() if told["load"] > 3]
    told = f"\n\nThe machine's load at the end, what was measured included: {', '.join(loads)}." if loads else ""
    return table(["window", "", "measured", "aim"], rows) + told


def _within(figures: Figures, path: Sequence[str]) -> Any:
    value: Any = figures
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


#: What a section is called: the result file it stands on, and how its figures become a table.
TABLES: dict[str, tuple[str, Callable[[Figures], str]]] = {
    "speed": ("speed", speed),
    "peers": ("peers", peers),
    "accuracy": ("accuracy-base", accuracy),
    "classes": ("accuracy-base", classes),
    "spoilt": ("accuracy-base", spoilt),
    "framing": ("framing", framing),
    "levelling": ("framing", levelling),
    "scenes": ("scenes", scenes),
    "web": ("web", web),
    "windows": ("windows", windows),
    "explain": ("explain", explain),
    "audit": ("audit", audit),
    "recipes": ("recipes", recipes),
    "training": ("training", training),
    "data": ("data", data),
    "backends": ("backends", backends),
    "transfer": ("transfer", transfer),
    "views": ("views", views),
    "steadying": ("steadying", steadying),
    "steadying-rates": ("steadying", steadying_rates),
    "live": ("live", live),
    "tracking": ("tracking", tracking),
    "tracking-scenes": ("tracking", tracking_scenes),
    "video": ("video", video),
    "video-shares": ("video", video_shares),
}

if __name__ == "__main__":
    sys.exit(main())
