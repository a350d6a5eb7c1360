"""The command `helpers`."""
