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


def absolute_place(name: os.PathLike[str] | str) -> epath.Path:
    """Returns the whole path that a user typed; an address stays as it is.

    Raises:
        UserError: as `user_place`.

    Example:
        >>> absolute_place("gs://BUCKET/RUN")  # which epath itself would take for a relative path
        PosixGPath('gs://BUCKET/RUN')
    """
    place = user_place(name)
    return place if "://" in os.fspath(place) else place.absolute()
