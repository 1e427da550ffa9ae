"""The commands of `python -m zoo`, one a module: SUMMARY, EXAMPLES, add_arguments, run.

They import what is heavy inside `run`, so that help, mistakes and `list` come at once.
"""
