"""Architectures. Each file has the equations, the Flax module and the config of one of them."""
