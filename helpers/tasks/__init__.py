"""What can be learnt: the contract of a task, the registry, and one wing a task."""
