"""The service of `python -m zoo serve --api`: models behind an address, for programs."""
