"""The commands of `python -m zoo`. Each module has SUMMARY, EXAMPLES, add_arguments and run.

Slow imports are inside `run`, so that help, errors and `list` come at once.
"""
