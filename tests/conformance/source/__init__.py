"""Where the vectors come from; ``catalogue`` gathers them."""
