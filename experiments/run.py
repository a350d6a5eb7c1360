"""Compute again the results that take longer than a notebook may, into helpers/book/results/*.jsonl.

    python -m experiments.run [experiment ...]      all that are missing
    python -m experiments.run --stale [experiment]  those too that were made from other data, weights or settings
    python -m experiments.run --anew [experiment]   all, after deleting the old results
    python -m experiments.run --minutes 0           none: only the plan, and the names of those that are stale
    python -m experiments.run --verify experiment [system=frozen ...]   compute one seed again, record nothing

A plan comes first: the results that are missing, and how many minutes they are expected to take by what those of the
same kind took. `--verify` fails where a score of the repeated result lies outside the recorded band (`verifying`).

A result that the ledger has is not computed again, so an interrupted run goes on where it was. It is stale, and named
in a line, if the hash of its data or model, or a setting of its recipe that the experiment states, is not
today's; what was not recorded is not compared.
"""

import argparse
import json
import pkgutil
import sys
import time
from importlib import import_module
from pathlib import Path

import experiments
from experiments import planning, recording, verifying
from helpers import assets, corpora, scales
from helpers.book import ledger
from helpers.errors import InputError

RESULTS = Path(ledger.__file__).parent / "results"
# Modules here that compute no experiment.
SHARED = ("derivation", "pairs", "planning", "prompting", "recording", "run", "searching", "verifying")


def modules() -> dict[str, object]:
    """Every experiment's name and the module that computes it."""
    names = [entry.name for entry in pkgutil.iter_modules(experiments.__path__) if entry.name not in SHARED]
    return {name: module for module in map(_module, names) for name in module.EXPERIMENTS}


def run(name: str, module, until: float = float("inf"), *, stale: bool = False) -> None:
    """Compute what the ledger lacks of one experiment, beginning nothing after the time `until` (`time.monotonic`).

    What is stale is named, or with `stale` computed as well and put in the old one's place.
    """
    origin = _origin(name, module)
    for about, compute in module.EXPERIMENTS[name]():
        done = _done(name)
        old = [row for row in done if _is(row, about)]
        changed = _changed(old[-1], origin | {"recipe": _settings(module, about)}) if old else []
        if changed:
            print(f"{name} {about} is stale: {', '.join(changed)} changed since", flush=True)
        if (old and not (changed and stale)) or time.monotonic() > until:
            continue
        if warning := planning.warning(planning.minutes(about, done)):
            print(f"{name} {about} {warning}", flush=True)
        began, used = time.perf_counter(), recording.cpu_seconds()
        result = compute() | {"cpu_seconds": round(recording.cpu_seconds() - used, 1)}
        if old:
            _forget(name, about)
        recording.record(RESULTS, name, **about, **result, **origin)
        scores = {key: round(value, 3) for key, value in result.items() if isinstance(value, float)}
        print(f"{name} {about} {scores} ({time.perf_counter() - began:.0f} s)", flush=True)


def missing(name: str, module) -> list[dict]:
    """What identifies the results of an experiment that the ledger lacks."""
    done = _done(name)
    return [about for about, _ in module.EXPERIMENTS[name]() if not any(_is(row, about) for row in done)]


def _origin(name: str, module) -> dict:
    """The hashes of data and model; a module says which they are, by experiment where these differ."""
    corpus, role = (part[name] if isinstance(part, dict) else part for part in (module.CORPUS, module.MODEL))
    card, model = corpora.load(corpus).card, assets.assets()[scales.model(role, "laptop")]
    return {"data": card.name, "data_sha256": card.sha256[:12], "model_sha256": model.sha256[:12]}


def _module(name: str):
    return import_module(f"experiments.{name}")


def _is(row: dict, about: dict) -> bool:
    """Whether a row is the result that `about` identifies; one with changed settings is another result."""
    unchanged = "change" in about or not row.get("change")
    return unchanged and all(row.get(key) == value for key, value in about.items())


def _settings(module, about: dict) -> dict:
    """What the module says today of a result's recipe; the experiment may set more, which is not compared."""
    if hasattr(module, "recipe"):
        return module.recipe(about)
    seed = {"seed": about["seed"]} if "seed" in about else {}
    return getattr(module, "RECIPE", {}) | about.get("change", {}) | seed


def _changed(row: dict, today: dict) -> list[str]:
    """The keys in which a recorded row differs from `today`: data_sha256, model_sha256, or settings of its recipe."""
    changed = [
        key for key in ("data_sha256", "model_sha256") if isinstance(row.get(key), str) and row[key] != today[key]
    ]
    recipe = row["recipe"] if isinstance(row.get("recipe"), dict) else {}
    return changed + [key for key, value in today["recipe"].items() if key in recipe and recipe[key] != value]


def _forget(name: str, about: dict) -> None:
    """Take a result out of its file, whose other lines stay as they are."""
    file, scratch = RESULTS / f"{name}.jsonl", RESULTS / f"{name}.writing"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    others = [line for line in lines if not _is(json.loads(line), about)]
    scratch.write_text("".join(others), encoding="utf-8", newline="\n")
    scratch.replace(file)


def _done(name: str) -> list[dict]:
    """The rows of an experiment as its file has them; a table would give what one of them lacks as not a number."""
    file = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def main() -> None:
    """Read the command line and compute."""
    known = modules()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", help=f"of {', '.join(known)}")
    parser.add_argument("--anew", action="store_true", help="delete old results first")
    parser.add_argument("--stale", action="store_true", help="compute again what is stale, too")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no result after so many minutes")
    parser.add_argument("--verify", nargs="+", metavar="NAME", help="compute one seed of an experiment again")
    arguments = parser.parse_args()
    if unknown := [name for name in [*arguments.experiments, *(arguments.verify or [])[:1]] if name not in known]:
        parser.error(f"there is no experiment '{unknown[0]}'; there are {', '.join(known)}")
    if arguments.verify:
        sys.exit(_verify(known, *arguments.verify))
    until = time.monotonic() + 60 * arguments.minutes
    RESULTS.mkdir(exist_ok=True)
    recording.provenance(RESULTS)  # before anything is edited
    names = arguments.experiments or list(known)
    for name in names if arguments.anew else ():
        (RESULTS / f"{name}.jsonl").unlink(missing_ok=True)
    print("\n".join(planning.plan({name: (missing(name, known[name]), _done(name)) for name in names})), flush=True)
    for name in names:
        run(name, known[name], until, stale=arguments.stale)


def _verify(known: dict, name: str, *wanted: str) -> int:
    """Whether a result of an experiment, computed again, lies outside what is recorded."""
    try:
        verdicts = verifying.verify(name, known[name], dict(part.partition("=")[::2] for part in wanted))
    except InputError as error:
        print(error)
        return 2
    print("\n".join(verdict.sentence() for verdict in verdicts))
    return int(not all(verdict.holds for verdict in verdicts))


if __name__ == "__main__":
    main()
