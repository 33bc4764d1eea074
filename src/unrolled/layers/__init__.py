"""What stands around cells: stacks, directions, dropout."""
