"""One question to the Hub before all others, so that a mistyped name or a missing network is told at once."""

from huggingface_hub import HfApi, try_to_load_from_cache

SECONDS = 10  # to wait for an answer


def ask(name: str) -> None:
    """OSError if the Hub does not answer, or has no model of this name; ValueError for what cannot be a name.

    Nothing is asked about a model that was loaded before. What loads one asks for each of its files, and again and
    again where there is no answer: about a minute.
    """
    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    try:
        HfApi().model_info(name, timeout=SECONDS)
    except OSError:
        raise
    except Exception as error:  # of the library that the Hub's client happens to send requests with
        raise OSError(f"the Hub does not answer: {' '.join(str(error).split())}") from error
