"""What a model is trained for: its loss, its metrics, its batches."""
