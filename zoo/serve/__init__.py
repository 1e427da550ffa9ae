"""The page of `python -m zoo serve`, and the server behind it."""
