"""The service of `python -m zoo serve --api`, which answers requests of other programs."""
