"""How commands end, for scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every `vidence` command."""

    FINE = 0
    FAILED = 1  # some item failed
    USAGE = 2
    UNREACHABLE = 3  # nothing answers at the server's address
    INTERRUPTED = 130  # Ctrl-C, as shells report it
