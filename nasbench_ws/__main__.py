"""The command `nasbench-ws`, and `python -m nasbench_ws`: its start and its end, where Ctrl-C must find no traceback.

Not here: what it does (cli/), which is imported inside, since Ctrl-C may come meanwhile.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line, and exit as it says."""
    try:
        from nasbench_ws.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: run the same command again\n")
        sys.exit(128 + signal.SIGINT)
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: what ends the process now needs no word


if __name__ == "__main__":
    main()
