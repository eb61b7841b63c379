"""Find a real program; where it is missing CI fails and a user's machine skips with the reason."""

import os
import shutil

import pytest


def need_program(*names: str) -> str:
    """Path of the first of `names` that is installed."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if found:
            return found
    words = f"{' or '.join(names)} is not installed; `make services` installs it on Debian"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)
