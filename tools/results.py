"""Compute again the results that take longer than a notebook may, into helpers/results/*.jsonl.

    python -m tools.results [experiment ...]      all that are missing
    python -m tools.results --anew [experiment]   all, after deleting the old results

A result that the ledger has is not computed again, so an interrupted run goes on where it was.
"""

import argparse
import pkgutil
import time
from importlib import import_module
from pathlib import Path

from helpers import assets, corpora, ledger, scales
from helpers.errors import InputError
from tools import experiments

RESULTS = Path(__file__).resolve().parent.parent / "helpers" / "results"


def modules() -> dict[str, object]:
    """Every experiment's name and the module that computes it."""
    found = [import_module(f"tools.experiments.{entry.name}") for entry in pkgutil.iter_modules(experiments.__path__)]
    return {name: module for module in found for name in module.EXPERIMENTS}


def run(name: str, module, until: float = float("inf")) -> None:
    """Compute what the ledger lacks of one experiment, beginning nothing after the time `until` (`time.monotonic`)."""
    card, model = corpora.load(module.CORPUS).card, assets.assets()[scales.model(module.MODEL, "laptop")]
    origin = {"data": card.name, "data_sha256": card.sha256[:12], "model_sha256": model.sha256[:12]}
    for about, compute in module.EXPERIMENTS[name]():
        if any(all(row.get(key) == value for key, value in about.items()) for row in _done(name)):
            continue
        if time.monotonic() > until:
            return
        began = time.perf_counter()
        result = compute()
        ledger.record(RESULTS, name, **about, **result, **origin)
        shown = {key: round(value, 3) for key, value in result.items() if isinstance(value, float)}
        print(f"{name} {about} {shown} ({time.perf_counter() - began:.0f} s)", flush=True)


def _done(name: str) -> list[dict]:
    try:
        return ledger.read(name).to_dict("records")
    except InputError:
        return []


def main() -> None:
    """Read the command line and compute."""
    known = modules()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", help=f"of {', '.join(known)}")
    parser.add_argument("--anew", action="store_true", help="delete old results first")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no result after so many minutes")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    RESULTS.mkdir(exist_ok=True)
    ledger.provenance(RESULTS)  # before anything is edited
    for name in arguments.experiments or known:
        if arguments.anew:
            (RESULTS / f"{name}.jsonl").unlink(missing_ok=True)
        run(name, known[name], until)


if __name__ == "__main__":
    main()
