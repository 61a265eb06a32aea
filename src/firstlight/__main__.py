"""The program `firstlight`, also as `python -m firstlight`.

It imports next to nothing before it can answer Ctrl-C.
"""

import sys


def main() -> None:
    """Run the command line, and exit with its code."""
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
