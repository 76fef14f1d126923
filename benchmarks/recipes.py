"""What each recipe gives when it is followed: reads finished runs, and writes the figures into results and headers.

    python benchmarks/recipes.py runs

A run belongs to a recipe when it has the same settings, but for its name, its seed, where its data lies, and, told as
shortened, how many epochs there were; a run that is another recipe's in full is nobody's shortened one. Where some of a
recipe's runs had teachers, or began with another run's trunk, those without are left out. Writes
``results/recipes.json`` and the block at the top of ``recipes/*.toml``.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _machine import HERE, write
from _tables import Figures, format_count, format_percent, format_table

from mien.training import run_folder
from mien.training.recipe import Recipe
from mien.training.run_folder import FINISHED, TrainingRun

RECIPES = HERE.parent / "recipes"

#: What a run may differ in from the recipe that it follows. Precision "auto" becomes what was faster.
_FREE = (
    "name",
    "data.sources",
    "training.seed",
    "training.epochs",
    "training.precision",
    "net.votes",
    "net.weights",
    "distillation.targets",
)

#: The block that is written into a recipe, in comments.
_BEGIN, _END = "# What came out, written by benchmarks/recipes.py:", "# So far what came out."
_BLOCK = re.compile(rf"^{re.escape(_BEGIN)}\n.*?^{re.escape(_END)}\n", re.DOTALL | re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder of the runs")
    found = figures(parser.parse_args().runs)
    print(write("recipes", found))
    for name, told in found.items():
        path = RECIPES / f"{name}.toml"
        path.write_text(headed(path.read_text("utf-8"), block(name, told)), "utf-8")
        print(f"{name}: {len(told['runs'])} runs")


def figures(home: Path) -> dict[str, Any]:
    """By recipe: its net, and what every finished run of it gave."""
    runs = [run for run in run_folder.list_runs(home) if run.state == FINISHED and run.metrics.get("split") == "public"]
    recipes = {path.stem: Recipe.read(path) for path in sorted(RECIPES.glob("*.toml"))}
    found = {}
    for name, recipe in recipes.items():
        others = [each for each in recipes.values() if each is not recipe]
        own = [run for run in runs if follows(run, recipe) and (in_full(run, recipe) or not any_in_full(run, others))]
        for with_it in (targets, weights):
            own = [run for run in own if with_it(run)] or own
        if own:
            model = own[0].metrics["model"]
            size = {key: model[key] for key in ("parameters", "multiply_adds")}
            each = sorted((figure(run, recipe) for run in own), key=lambda told: (told["shortened"], told["seed"]))
            found[name] = {"net": recipe.net.name, "classes": len(recipe.data.classes), **size, "runs": each}
    return found


def follows(run: TrainingRun, recipe: Recipe) -> bool:
    if run.recipe is None or (run.recipe.net.weights != recipe.net.weights and not weights(run)):
        return False
    return not set(run.recipe.difference(recipe)) - set(_FREE)


def in_full(run: TrainingRun, recipe: Recipe) -> bool:
    """Whether it was planned for all the epochs of the recipe."""
    return run.recipe is not None and run.recipe.training.epochs >= recipe.training.epochs


def any_in_full(run: TrainingRun, recipes: Sequence[Recipe]) -> bool:
    return any(follows(run, recipe) and in_full(run, recipe) for recipe in recipes)


def targets(run: TrainingRun) -> str:
    """The file of what teachers said, without its folder; empty where there were none."""
    return Path(run.recipe.distillation.targets).name if run.recipe else ""


def weights(run: TrainingRun) -> str:
    """The run it began with; empty where it began from nothing, or from what is no run."""
    word = run.recipe.net.weights if run.recipe else "none"
    return "" if word in ("none", "imagenet") or Path(word).suffix else Path(word).name


def figure(run: TrainingRun, recipe: Recipe) -> dict[str, Any]:
    """What one run gave."""
    keys = ("faces", "accuracy", "ci95", "accuracy_no_duplicates", "balanced_accuracy", "ece")
    about, machine = run.environment, run.environment.get("machine", {})
    assert run.recipe is not None
    return {
        "seed": run.recipe.training.seed,
        "epochs": run.epochs,
        "planned": recipe.training.epochs,
        "shortened": not in_full(run, recipe),
        "precision": run.recipe.training.precision,
        "targets": targets(run),
        "weights": weights(run),
        **_time(run),
        "validation_accuracy": run.best[0] if run.best else None,
        **{key: run.metrics[key] for key in keys},
        "started": about.get("started"),
        "resumed": len(about.get("resumed", [])),
        "commit": about.get("commit"),
        "versions": about.get("versions"),
        "machine": {key: machine.get(key) for key in ("processor", "cores", "instructions")},
    }


def _time(run: TrainingRun) -> dict[str, int]:
    """Of the quickest epoch, and of all at that pace: what else the machine did, or that it was halted, is no cost.

    Epochs in which only the heads learned are quicker, and say nothing of the others.
    """
    frozen = run.recipe.training.frozen_epochs if run.recipe and weights(run) else 0
    epoch = min(row["seconds"] for row in run.history[frozen:] or run.history)
    return {"epoch_seconds": round(epoch), "seconds": round(epoch * run.epochs)}


def headed(text: str, lines: Sequence[str]) -> str:
    """The recipe with this block behind the comments it begins with, or in the place of an older block."""
    made = "\n".join([_BEGIN, *lines, _END]) + "\n"
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: made, text, count=1)
    comments = re.match(r"(#.*\n)*", text)
    assert comments is not None
    return f"{comments[0]}#\n{made}{text[comments.end() :]}"


def block(name: str, told: Mapping[str, Any]) -> Iterator[str]:
    """Command, figure, time and machine of every run, and of several seeds what they give on average."""
    for run in told["runs"]:
        yield f"#   {command(name, run)}"
        yield f"#     {outcome(run)}"
        yield f"#     {circumstances(run)}"
    whole = [run["accuracy"] for run in told["runs"] if not run["shortened"]]
    if len(whole) > 1:
        spread = f"{100 * statistics.fmean(whole):.1f} % ± {100 * statistics.stdev(whole):.1f}"
        yield f"#   {len(whole)} seeds together: PublicTest {spread}"


def command(name: str, run: Mapping[str, Any]) -> str:
    words = f"mien train recipes/{name}.toml --data fer2013.csv"
    words += f" --epochs {run['epochs']}" if run["shortened"] else ""
    words += f" --set net.weights=runs/{run['weights']}" if run["weights"] else ""
    words += f" --set distillation.targets=targets/{run['targets']}" if run["targets"] else ""
    return words + (f" --set training.seed={run['seed']} --name {name}-{run['seed']}" if run["seed"] else "")


def outcome(run: Mapping[str, Any]) -> str:
    low, high = run["ci95"]
    told = f"PublicTest {100 * run['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    twins = f", {100 * run['accuracy_no_duplicates']:.1f} % without duplicates" if run["accuracy_no_duplicates"] is not None else ""
    return f"{told}{twins}, balanced {100 * run['balanced_accuracy']:.1f} %; {run['faces']:,} faces"


def circumstances(run: Mapping[str, Any]) -> str:
    """How long and on what; a run that stopped early by its own rule is no shortened one."""
    fewer = run["epochs"] < run["planned"]
    epochs = f"{run['epochs']} of {run['planned']} epochs" if fewer else f"{run['epochs']} epochs"
    why = ", shortened" if run["shortened"] else ", stopped by itself" if fewer else ""
    machine = run["machine"]
    cores = "one core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    again = f", taken up again {format_count(run['resumed'])}" if run["resumed"] else ""
    time = f"{span(run['seconds'])} undisturbed, {run['epoch_seconds']} s an epoch"
    # A run that was taken up again may have had other cores then.
    place = machine["processor"] if run["resumed"] else f"{cores} of {machine['processor']}"
    return f"{epochs}{why}; {time}, on {place}{again}"


def span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{seconds / 3600:.1f} hours"


#: What popular write-ups claim for nets of such a kind; ours began without weights from elsewhere.
CLAIMS = {
    **dict.fromkeys(("basic", "batchnorm"), "50, 65-70, 66 %"),
    **dict.fromkeys(("vgg16", "resnet50v2", "mobilenetv2", "efficientnetb0"), "75-85 %, with transfer"),
}


def recipes_table(figures: Figures) -> str:
    """Every recipe that was followed to its end, the most accurate first; fewer classes are an easier question."""
    rows = [(name, told, run) for name, told in figures.items() for run in [told["runs"][0]]]
    rows.sort(key=lambda row: (-row[1]["classes"], -mean_of_runs(row[1], "accuracy")))
    return format_table(
        ["recipe", "PublicTest", "seeds", "no twins", "balanced", "epochs", "training", "parameters", "write-ups"],
        [
            (
                f"[{name}](../recipes/{name}.toml){describe_difference(told)}",
                format_percent(mean_of_runs(told, "accuracy")),
                len(counted_runs(told)),
                format_percent(mean_of_runs(told, "accuracy_no_duplicates")),
                format_percent(mean_of_runs(told, "balanced_accuracy")),
                f"{run['epochs']} of {run['planned']}" + (", shortened" if run["shortened"] else ""),
                format_duration(mean_of_runs(told, "seconds")),
                f"{told['parameters'] / 1e6:.1f} M",
                CLAIMS.get(told["net"], ""),
            )
            for name, told, run in rows
        ],
    )


def describe_difference(told: Figures) -> str:
    """What sets a recipe's figures apart from the others'."""
    classes = ", five classes" if told["classes"] == 5 else ""
    first = told["runs"][0]
    begun = f", from {first['weights']}" if first.get("weights") else ""
    return classes + begun + (", with teachers" if first["targets"] else "")


def counted_runs(told: Figures) -> list[Figures]:
    """The runs that count: those in full, or where there are none all."""
    return [run for run in told["runs"] if not run["shortened"]] or told["runs"]


def mean_of_runs(told: Figures, key: str) -> float:
    runs = counted_runs(told)
    return float(sum(run[key] for run in runs) / len(runs))


def format_duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "recipes": ("recipes", recipes_table),
}


if __name__ == "__main__":
    main()
