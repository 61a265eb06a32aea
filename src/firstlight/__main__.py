"""The program `firstlight`, also as `python -m firstlight`.

It imports next to nothing before it can answer Ctrl-C.
"""

import os
import sys


def main() -> None:
    """Run the command line, and exit with its code."""
    # NumPy's own matrix products are small here: threads for them only make its import slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from firstlight import interrupt

        interrupt.begin()
        with interrupt.ending_at_once():
            from firstlight import cli
    except KeyboardInterrupt:  # in the first milliseconds
        sys.stderr.write("firstlight: interrupted\n")
        sys.exit(130)
    sys.exit(interrupt.guarded(cli.run))


if __name__ == "__main__":
    main()
