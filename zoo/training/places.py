"""Places that a user names: paths on this machine, and addresses such as gs://BUCKET/RUN."""

import os

from etils import epath

from zoo.errors import UserError


def user_place(name: os.PathLike[str] | str) -> epath.Path:
    """Returns the path that a user typed, with ~ replaced by the home directory.

    Raises:
        UserError: it is an address of a kind that is not supported.

    Example:
        >>> user_place("https://example.org/run")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: https://example.org/run is an address that is not supported; give a \
path, or an address such as gs://BUCKET/RUN
    """
    try:
        return epath.Path(name).expanduser()
    except KeyError as error:
        raise UserError(
            f"{os.fspath(name)} is an address that is not supported; give a path, or an address "
            "such as gs://BUCKET/RUN"
        ) from error
