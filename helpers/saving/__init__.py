"""A trained model on disk: its folder and its card."""

from helpers.saving.folder import add_scores, check_free, load, save

__all__ = ["add_scores", "check_free", "load", "save"]
