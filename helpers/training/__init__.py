"""One loop for every task: recipe, optimiser, device, checkpoints."""
