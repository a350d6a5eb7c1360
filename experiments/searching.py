"""Searches on validation rows that precede what trains: recorded like any result, and read back by the others."""

from collections.abc import Callable, Iterable

from helpers import Recipe
from helpers.book import ledger
from helpers.errors import InputError
from helpers.workflow.tune import search


def found(
    compute: Callable[[Recipe], tuple[float, int]],
    start: Recipe,
    rates: Iterable[float],
    lengths: Iterable[int] = (),
    *,
    metric: str,
    rows: int,
) -> dict:
    """The result of a search for a rate, and for the epochs if there are `lengths`, as `helpers.workflow.tune` has it.

    Args:
        rows: how many validation rows choose.
    """
    best = search(compute, start, list(rates), list(lengths) or [start.epochs], metric=metric, note=print)
    return {"n": rows, "trials": best.rows(), "recipe": best.recipe.to_dict()}


def chosen(experiment: str, *settings: str, **search_of) -> dict:
    """These settings of the recorded search that `search_of` identifies; none until it is recorded.

    A recipe that is stated with them makes results stale once another search chooses otherwise.
    """
    try:
        recipe = ledger.read(experiment).where(**search_of).recipe().to_dict()
    except InputError:
        return {}
    return {name: recipe[name] for name in settings}


def complete(settings: dict) -> Recipe:
    """The recipe of these settings, among which a searched rate has to be.

    Raises InputError if it is not: the default would be taken in its place, and nothing would say so.
    """
    if "learning_rate" not in settings:
        raise InputError("the search for this system's learning rate is not recorded; compute it first")
    return Recipe(**settings)
