"""The script that the client runs: ``python3 -I -S run.py [MODE] [OPTIONS]``.

It is kept this small because a script, unlike a module, is compiled at every start.
"""

import sys

if __name__ == "__main__":
    # At the end: nothing beside this package may stand in for the standard library.
    sys.path.append(__file__.rpartition("/fleetspan_hook/")[0] or ".")
    from fleetspan_hook.main import main

    main()
