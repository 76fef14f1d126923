"""Results of the recipes: reads finished runs, and writes their metrics into results/recipes.json and into the recipes.

    python benchmarks/recipes.py runs

A run belongs to a recipe when it has the same settings, except for its name, seed and sources. With fewer epochs it is
called shortened, unless it has all epochs of another recipe. Where some runs of a recipe had soft targets, or started
from another run, those without are left out. Writes ``results/recipes.json`` and the block at the top of
``recipes/*.toml``.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _results import HERE, write_result
from _tables import Figures, format_count, format_percent, format_table

from mien.training import run_folder
from mien.training.recipe import Recipe
from mien.training.run_folder import FINISHED, TrainingRun

RECIPES = HERE.parent / "recipes"

#: Settings in which a run can differ from its recipe. The precision "auto" becomes the faster one.
_FREE_SETTINGS = (
    "name",
    "data.sources",
    "training.seed",
    "training.epochs",
    "training.precision",
    "net.votes",
    "net.weights",
    "distillation.targets",
)

#: The first and the last line of the block of comments that is written into a recipe.
_START, _END = "# Results, written by benchmarks/recipes.py:", "# End of the results."
_BLOCK = re.compile(rf"^{re.escape(_START)}\n.*?^{re.escape(_END)}\n", re.DOTALL | re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder of the runs")
    results = collect_results(parser.parse_args().runs)
    print(write_result("recipes", results))
    for name, result in results.items():
        path = RECIPES / f"{name}.toml"
        path.write_text(replace_block(path.read_text("utf-8"), format_block(name, result)), "utf-8")
        print(f"{name}: {len(result['runs'])} runs")


def collect_results(folder: Path) -> dict[str, Any]:
    """By recipe: its network, and the results of every finished run."""
    runs = [
        run for run in run_folder.list_runs(folder) if run.state == FINISHED and run.metrics.get("split") == "public"
    ]
    recipes = {path.stem: Recipe.read(path) for path in sorted(RECIPES.glob("*.toml"))}
    results = {}
    for name, recipe in recipes.items():
        others = [each for each in recipes.values() if each is not recipe]
        own = [
            run
            for run in runs
            if belongs_to(run, recipe) and (is_complete(run, recipe) or not is_complete_for_any(run, others))
        ]
        for name_source in (name_targets, name_weights):
            own = [run for run in own if name_source(run)] or own
        if own:
            model = own[0].metrics["model"]
            size = {key: model[key] for key in ("parameters", "multiply_adds")}
            rows = sorted((describe_run(run, recipe) for run in own), key=lambda row: (row["shortened"], row["seed"]))
            results[name] = {"net": recipe.net.name, "classes": len(recipe.data.classes), **size, "runs": rows}
    return results


def belongs_to(run: TrainingRun, recipe: Recipe) -> bool:
    if run.recipe is None or (run.recipe.net.weights != recipe.net.weights and not name_weights(run)):
        return False
    return not set(run.recipe.difference(recipe)) - set(_FREE_SETTINGS)


def is_complete(run: TrainingRun, recipe: Recipe) -> bool:
    """Whether the run was planned for all epochs of the recipe."""
    return run.recipe is not None and run.recipe.training.epochs >= recipe.training.epochs


def is_complete_for_any(run: TrainingRun, recipes: Sequence[Recipe]) -> bool:
    return any(belongs_to(run, recipe) and is_complete(run, recipe) for recipe in recipes)


def name_targets(run: TrainingRun) -> str:
    """The name of the file of soft targets; empty without one."""
    return Path(run.recipe.distillation.targets).name if run.recipe else ""


def name_weights(run: TrainingRun) -> str:
    """The name of the run that this run started from; empty for random weights, or weights that are no run."""
    weights = run.recipe.net.weights if run.recipe else "none"
    return "" if weights in ("none", "imagenet") or Path(weights).suffix else Path(weights).name


def describe_run(run: TrainingRun, recipe: Recipe) -> dict[str, Any]:
    """The results of one run."""
    keys = ("faces", "accuracy", "ci95", "accuracy_no_duplicates", "balanced_accuracy", "ece")
    environment, machine = run.environment, run.environment.get("machine", {})
    assert run.recipe is not None
    return {
        "seed": run.recipe.training.seed,
        "epochs": run.epochs,
        "planned": recipe.training.epochs,
        "shortened": not is_complete(run, recipe),
        "precision": run.recipe.training.precision,
        "targets": name_targets(run),
        "weights": name_weights(run),
        **_measure_time(run),
        "validation_accuracy": run.best[0] if run.best else None,
        **{key: run.metrics[key] for key in keys},
        "started": environment.get("started"),
        "resumed": len(environment.get("resumed", [])),
        "commit": environment.get("commit"),
        "versions": environment.get("versions"),
        "machine": {key: machine.get(key) for key in ("processor", "cores", "instructions")},
    }


def _measure_time(run: TrainingRun) -> dict[str, int]:
    """The time of the fastest epoch, and of all epochs at that speed: interruptions and other processes do not count.

    Frozen epochs are faster than the others, and are left out.
    """
    frozen = run.recipe.training.frozen_epochs if run.recipe and name_weights(run) else 0
    epoch = min(row["seconds"] for row in run.history[frozen:] or run.history)
    return {"epoch_seconds": round(epoch), "seconds": round(epoch * run.epochs)}


def replace_block(text: str, lines: Sequence[str]) -> str:
    """The recipe with this block after its first comments, or in the place of an older block."""
    block = "\n".join([_START, *lines, _END]) + "\n"
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: block, text, count=1)
    comments = re.match(r"(#.*\n)*", text)
    assert comments is not None
    return f"{comments[0]}#\n{block}{text[comments.end() :]}"


def format_block(name: str, result: Mapping[str, Any]) -> Iterator[str]:
    """Command, metrics, time and machine of every run, and the mean of several seeds."""
    for run in result["runs"]:
        yield f"#   {format_command(name, run)}"
        yield f"#     {format_metrics(run)}"
        yield f"#     {format_time_and_machine(run)}"
    complete = [run["accuracy"] for run in result["runs"] if not run["shortened"]]
    if len(complete) > 1:
        spread = f"{100 * statistics.fmean(complete):.1f} % ± {100 * statistics.stdev(complete):.1f}"
        yield f"#   {len(complete)} seeds: PublicTest {spread}"


def format_command(name: str, run: Mapping[str, Any]) -> str:
    command = f"mien train recipes/{name}.toml --data fer2013.csv"
    command += f" --epochs {run['epochs']}" if run["shortened"] else ""
    command += f" --set net.weights=runs/{run['weights']}" if run["weights"] else ""
    command += f" --set distillation.targets=targets/{run['targets']}" if run["targets"] else ""
    return command + (f" --set training.seed={run['seed']} --name {name}-{run['seed']}" if run["seed"] else "")


def format_metrics(run: Mapping[str, Any]) -> str:
    low, high = run["ci95"]
    accuracy = f"PublicTest {100 * run['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    unique = (
        f", {100 * run['accuracy_no_duplicates']:.1f} % without duplicates"
        if run["accuracy_no_duplicates"] is not None
        else ""
    )
    return f"{accuracy}{unique}, balanced {100 * run['balanced_accuracy']:.1f} %; {run['faces']:,} faces"


def format_time_and_machine(run: Mapping[str, Any]) -> str:
    """Epochs, time and machine; a run that ended by early stopping is not called shortened."""
    fewer = run["epochs"] < run["planned"]
    epochs = f"{run['epochs']} of {run['planned']} epochs" if fewer else f"{run['epochs']} epochs"
    reason = ", shortened" if run["shortened"] else ", early stopping" if fewer else ""
    machine = run["machine"]
    cores = "one core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    resumed = f", resumed {format_count(run['resumed'])}" if run["resumed"] else ""
    time = f"{format_minutes(run['seconds'])}, {run['epoch_seconds']} s per epoch"
    # A resumed run may have had other cores before.
    place = machine["processor"] if run["resumed"] else f"{cores} of {machine['processor']}"
    return f"{epochs}{reason}; {time}, on {place}{resumed}"


def format_minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{seconds / 3600:.1f} hours"


#: What popular tutorials claim for such networks; ours were trained from scratch.
CLAIMS = {
    **dict.fromkeys(("basic", "batchnorm"), "50, 65-70, 66 %"),
    **dict.fromkeys(("vgg16", "resnet50v2", "mobilenetv2", "efficientnetb0"), "75-85 %, with transfer"),
}


def format_recipes_table(figures: Figures) -> str:
    """All recipes by accuracy; recipes with fewer classes, which are easier, last."""
    rows = [(name, result, run) for name, result in figures.items() for run in [result["runs"][0]]]
    rows.sort(key=lambda row: (-row[1]["classes"], -mean_of_runs(row[1], "accuracy")))
    return format_table(
        ["recipe", "PublicTest", "seeds", "no duplicates", "balanced", "epochs", "training", "parameters", "tutorials"],
        [
            (
                f"[{name}](../recipes/{name}.toml){describe_difference(result)}",
                format_percent(mean_of_runs(result, "accuracy")),
                len(counted_runs(result)),
                format_percent(mean_of_runs(result, "accuracy_no_duplicates")),
                format_percent(mean_of_runs(result, "balanced_accuracy")),
                f"{run['epochs']} of {run['planned']}" + (", shortened" if run["shortened"] else ""),
                format_duration(mean_of_runs(result, "seconds")),
                f"{result['parameters'] / 1e6:.1f} M",
                CLAIMS.get(result["net"], ""),
            )
            for name, result, run in rows
        ],
    )


def describe_difference(result: Figures) -> str:
    """Classes, initial weights and soft targets, where they are not the default."""
    classes = ", five classes" if result["classes"] == 5 else ""
    first = result["runs"][0]
    start = f", from {first['weights']}" if first.get("weights") else ""
    return classes + start + (", with soft targets" if first["targets"] else "")


def counted_runs(result: Figures) -> list[Figures]:
    """The complete runs, or where there are none all runs."""
    return [run for run in result["runs"] if not run["shortened"]] or result["runs"]


def mean_of_runs(result: Figures, key: str) -> float:
    runs = counted_runs(result)
    return float(sum(run[key] for run in runs) / len(runs))


def format_duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "recipes": ("recipes", format_recipes_table),
}


if __name__ == "__main__":
    main()
