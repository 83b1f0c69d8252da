"""Makes .venv and installs what the lock files name, once per change of them. Standard library only: it runs before.

python3 -I chainpay/embedded/install.py requirements.txt
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
VENV = BASE_DIR / ".venv"
PYTHON = VENV / "bin" / "python"
# What is installed: lock file -> its SHA-256.
STAMP = VENV / "installed.json"
# There while an installation is under way; found at the start, the last one was interrupted and trusted no further.
UNFINISHED = VENV / "unfinished"
# A lock file that holds another one's packages too.
INCLUDES = {
    "requirements.txt": ["requirements.txt"],
    "requirements-dev.txt": ["requirements.txt", "requirements-dev.txt"],
}
COMPILER_SIGNS = ("gcc", "clang", "'cc'", "compiler")


class CannotInstall(Exception):
    """Says in one line what is wrong and what to do about it."""


def main() -> int:
    """0 when everything is in place, 1 with one line when it can not be."""
    try:
        with open(BASE_DIR / "requirements.in", "rb") as queue:
            # Two commands at once: the second waits and then finds everything done.
            fcntl.flock(queue, fcntl.LOCK_EX)
            _install(sys.argv[1])
    except CannotInstall as error:
        print(f"chainpay: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"chainpay: cannot install: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _install(lock_file: str) -> None:
    wanted = {name: _digest(BASE_DIR / name) for name in INCLUDES[lock_file]}
    if not _sound():
        _make_venv()
    elif wanted.items() <= _installed().items():
        return
    print(f"Installing locked dependencies ({lock_file}; a minute or two the first time) ...", flush=True)
    UNFINISHED.touch()
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "-r", lock_file]
    # What pip says goes to the screen only when it fails.
    done = subprocess.run(
        command, cwd=BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotInstall(_why(done.stdout))
    STAMP.write_text(json.dumps(wanted))
    UNFINISHED.unlink()


def _sound() -> bool:
    """Whether .venv is whole, made by this Python, and still where it was made."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    question = "import sys, pip; print(sys.version_info[:3], sys.prefix)"
    answer = subprocess.run([PYTHON, "-I", "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == f"{tuple(sys.version_info[:3])} {VENV}"


def _make_venv() -> None:
    if VENV.is_symlink():
        raise CannotInstall(f"{VENV} is a link to an environment that does not fit; remove the link and try again.")
    print("Creating .venv ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        print(made.stdout + made.stderr, file=sys.stderr)
        raise CannotInstall("python3 -m venv does not work here; on Debian and Ubuntu: apt-get install python3-venv")


def _installed() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _why(output: str) -> str:
    """One line out of pip's many, which are shown first."""
    print(output, file=sys.stderr)
    compiled = any(sign in output for sign in COMPILER_SIGNS)
    if compiled and not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        return "a package had to be built and there is no C compiler; install gcc or clang and try again."
    return "pip could not install the locked dependencies; what it said is above."


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
