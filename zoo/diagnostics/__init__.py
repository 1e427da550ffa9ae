"""What goes on inside a model: the numbers, and the pictures of them."""
