"""The flag --picture, which several commands have."""

import argparse


def check_picture(arguments: argparse.Namespace) -> None:
    """Checks where a picture is to go, where one is wanted, before the work that makes it.

    Raises:
        UserError: the name has no suffix of a picture, or there is no such directory.
    """
    if getattr(arguments, "picture", None):
        from zoo.diagnostics.pictures import check_path

        check_path(arguments.picture)
