"""Maths on arrays: it knows no task, no data, no config and no file."""
