"""What a recipient is told of its money in a period: earned, held, paid, returned."""
