"""Make `.venv` hold every package of requirements.lock and the package itself; do nothing where it does already.

    python3 tools/environment.py

Any Python 3 can read this file, so that one which is too old gets a sentence instead of a traceback.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)


def main():
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        return f"Python {version[0]}.{version[1]} is not one of 3.11 to 3.13; name another: make PYTHON=python3.11 ..."
    stamp = ROOT / ".venv" / "installed"
    wanted = fingerprint(version)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        try:
            install(version, stamp)
        except subprocess.CalledProcessError as error:
            return f"the environment is not complete ({error}); mend what is said above and try again"
        stamp.write_text(wanted, encoding="utf-8")
    return None


def fingerprint(version):
    """The Python and the hash of what decides about the content of `.venv`."""
    files = [ROOT / "requirements.lock", ROOT / "pyproject.toml"]
    content = b"".join(file.read_bytes() for file in files)
    return f"{version[0]}.{version[1]} {hashlib.sha256(content).hexdigest()}\n"


def install(version, stamp):
    """Create `.venv` unless it has this Python already, and install into it."""
    python = ROOT / ".venv" / "bin" / "python"
    if not has_version(python, version):
        shutil.rmtree(ROOT / ".venv", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(ROOT / ".venv")], check=True)
    stamp.unlink(missing_ok=True)
    print("Installing requirements.lock and the package into .venv", flush=True)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    pip += [] if sys.stdout.isatty() else ["--quiet"]
    subprocess.run([*pip, "-r", "requirements.lock"], check=True, cwd=str(ROOT))
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], check=True, cwd=str(ROOT))


def has_version(python, version):
    """Whether this interpreter exists, works and is of the given version."""
    if not python.exists():
        return False
    code = f"import pip, sys; sys.exit(sys.version_info[:2] != {version!r})"
    return subprocess.run([str(python), "-c", code], stderr=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
