"""Tasks: the settings, batches, losses and scores that are special to each task."""
