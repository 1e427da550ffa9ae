"""The training state, the one train step, the loop, optimizers and checkpoints."""
