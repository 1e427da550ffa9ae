"""One architecture a file: its equations, its Flax module and its config record."""
