"""The command line: each verb parses its flags, calls one function, and prints what it returns.

    program.py       the program: its help, its errors and their exit codes
    learn.py         the verbs train, find-lr, list, ...
    understand.py    the verbs evaluate, compare, explain, ...
    read.py          the verb read
    use.py           the verbs classify, predict, export, serve, doctor
    flags.py         the flags that several verbs have
    output.py        how results and problems are printed

Results go to stdout, progress and notices to stderr. Each verb imports what it needs, so that help
starts without NumPy, and reading without TensorFlow.
"""

# Each module adds its verbs to the app; help shows them in this order.
from firstlight.cli import learn, read, understand, use
from firstlight.cli.program import app, run

__all__ = ["app", "learn", "read", "run", "understand", "use"]
