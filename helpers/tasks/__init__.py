"""The tasks: their contract, their registry, and one wing per task."""
