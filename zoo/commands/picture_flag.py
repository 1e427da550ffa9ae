"""The flag --picture, which several commands share."""

import argparse


def check_picture(arguments: argparse.Namespace) -> None:
    """Checks the name of a picture, if one is wanted, before the work that it needs.

    Raises:
        UserError: if the name has no suffix of a picture, or its directory does not exist.
    """
    if getattr(arguments, "picture", None):
        from zoo.diagnostics.pictures import check_path

        check_path(arguments.picture)
