"""Errors as the contract has them."""

import errno

from componentize_py_types import Err
from wit_world.imports.types import Error, ErrorKind

KINDS = {
    errno.ENOENT: ErrorKind.NOT_FOUND,
    errno.EACCES: ErrorKind.PERMISSION_DENIED,
    errno.EPERM: ErrorKind.PERMISSION_DENIED,
    errno.EROFS: ErrorKind.PERMISSION_DENIED,
    76: ErrorKind.PERMISSION_DENIED,  # WASI's ENOTCAPABLE, which the module has no name for
    errno.ENOSPC: ErrorKind.UNAVAILABLE,
    errno.EDQUOT: ErrorKind.UNAVAILABLE,
}


def failure(kind, message, hint=None, retryable=False, untouched=False, context=()):
    """An exception that a moment can raise: the contract's error."""
    return Err(Error(kind, message, hint, retryable, untouched, list(context)))


def os_failure(what, name, why):
    """The same for an error of the operating system."""
    return failure(KINDS.get(why.errno, ErrorKind.OTHER), f"cannot {what} `{name}`: {(why.strerror or str(why)).lower()}")
