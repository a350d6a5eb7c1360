"""Data sets in the layout of the Hub: from a local folder, or from the Hub itself at scale `gpu`."""

from datasets import DatasetDict, load_dataset

from helpers.errors import AssetError


def load(name: str, *, scale: str, config: str | None = None) -> DatasetDict:
    """The data set called `name`, or in the local folder `name`; no code of the data set is run.

    Raises AssetError if it cannot be read, with the remedy when the network is missing.
    """
    try:
        return load_dataset(name, config)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssetError(
            f"data set '{name}' could not be loaded at scale '{scale}' ({reason}); connect to the network, "
            "pass the path of a local copy, or set SFT_SCALE=laptop"
        ) from error
