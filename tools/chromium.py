"""Find the Chromium that the browser checks of the book drive; install Debian's where there is none.

python -m tools.chromium             find one, or install Debian's if this is root and apt is there
python -m tools.chromium --report    say if the browser checks were left out; fails if CI=true
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
MISSING = "Chromium was not found, so the browser checks were left out; try: .venv/bin/playwright install chromium"


def find() -> Path | None:
    """The first Chromium that starts: the system's, then playwright's own."""
    for candidate in [*map(shutil.which, NAMES), *MACOS, _playwrights()]:
        if candidate and _starts(candidate):
            return Path(candidate)
    return None


def install() -> None:
    """Install Debian's Chromium where this process may; what apt says is shown only if it fails."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("Installing Debian's chromium for the browser checks", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]):
        command = ["apt-get", "-q", *arguments]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")
        if done.returncode:
            print(f"{' '.join(command)} failed: {done.stderr.strip()}", file=sys.stderr)


def required() -> bool:
    """Whether the browser checks must not be left out."""
    return os.environ.get("CI") == "true"


def main(arguments: list[str]) -> int:
    if arguments == ["--report"]:
        if find():
            return 0
        print(MISSING)
        return int(required())
    if not find():
        install()
    return 0


def _playwrights() -> str:
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _starts(path: str) -> bool:
    # Ubuntu ships a script of this name that only says to use snap: it must print a version to count.
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60, encoding="utf-8", errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "chrom" in done.stdout.lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
