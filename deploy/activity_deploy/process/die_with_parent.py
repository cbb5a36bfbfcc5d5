"""`die_with_parent.py PARENT COMMAND ...`: become COMMAND, and be killed when PARENT ends.

A killed launcher or test run cannot stop what it started; the kernel can.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":  # elsewhere there is no such call, and one stops by hand
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell, on purpose
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
