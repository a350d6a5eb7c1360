"""The main paths, as functions: what the shell, the chapters and the experiments call."""
