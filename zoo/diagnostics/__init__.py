"""The inside of a model: numbers, and pictures of them."""
