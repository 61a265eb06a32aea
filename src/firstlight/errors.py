"""What can go wrong, and the exit code that says so.

    FirstlightError   1   the run failed
    ├── UsageError    2   asked for something there is not; NotFound: by the page, which answers 404
    ├── GateMissed    3   --min-accuracy was not reached, or data has faults
    ├── DataError     4   data or a run missing or damaged
    ├── ExportError   5   an exported file was not the network it came from
    └── Interrupted 130   stopped by the user, after a checkpoint

A message is one line: what was given, what there is, what to do.
"""


class FirstlightError(Exception):
    exit_code = 1


class UsageError(FirstlightError):
    exit_code = 2


class NotFound(UsageError):
    pass


class GateMissed(FirstlightError):
    exit_code = 3


class DataError(FirstlightError):
    exit_code = 4


class ExportError(FirstlightError):
    exit_code = 5


class Interrupted(FirstlightError):
    exit_code = 130
