"""The servers of `python -m zoo serve`: a page for people, and a service for programs."""
