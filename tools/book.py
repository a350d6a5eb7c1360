"""Execute the notebooks that changed, then build the HTML book from the executed copies.

    python -m tools.book        (or: make book)

`executed/` holds each notebook with its outputs and `record.json` with its key: the hash of its source, of the
package, of the locked environment and the scale. A notebook whose key is in the record does not run again. Each one
runs in an empty folder of its own outside the repository, as it would in Colab; where there are 8 GB for each, two run
beside each other on half of the cores, since much of a notebook uses one core alone. Fewer or more: BOOK_AT_ONCE.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Lock

import psutil
import yaml

from helpers.errors import AssetError
from tools import address, front, page_model, terms
from tools import pages as finishing

ROOT = Path(__file__).resolve().parent.parent
CELL_SECONDS = 900
NOTEBOOK_SECONDS = 1800
NOTEBOOK_BYTES = 8e9  # of memory that a machine has for each notebook that runs
CPU = Path("/proc/cpuinfo")  # on Linux
CONFIGURATION = ("_config.yml", "_toc.yml")
_RECORDING = Lock()


def main(root: Path = ROOT) -> int:
    """Bring `executed/` and `_build/html` up to date; 1 if a notebook fails or the book has a warning."""
    stale = [notebook for notebook in notebooks(root) if not is_fresh(root, notebook)]
    if stale:
        fetch(root)
    failed = failures(root, stale)
    print(report(root, len(stale)))
    if failed:
        print(f"failed: {', '.join(failed)}; the outputs up to the error are in executed/failed", file=sys.stderr)
        return 1
    return build(root)


def failures(root: Path, stale: list[str]) -> list[str]:
    """Run notebooks, begun in their order, some at once; those that failed."""
    count = len(stale)
    with ThreadPoolExecutor(at_once()) as pool:
        jobs = [pool.submit(execute, root, notebook, number, count) for number, notebook in enumerate(stale, 1)]
        try:
            return [notebook for notebook, job in zip(stale, jobs, strict=True) if not job.result()]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def at_once() -> int:
    """How many notebooks run beside each other: BOOK_AT_ONCE, or two where cores and memory are enough, else one."""
    if asked := os.environ.get("BOOK_AT_ONCE"):
        return max(1, int(asked))
    enough = (os.cpu_count() or 1) >= 2 and psutil.virtual_memory().total >= 2 * NOTEBOOK_BYTES
    return 2 if enough else 1


def fetch(root: Path) -> None:
    """Download and verify the models and texts first, so that no notebook's seconds hold a download."""
    subprocess.run([sys.executable, "-m", "helpers", "fetch"], cwd=root, check=True)


def documents(root: Path) -> list[str]:
    """The pages that `_toc.yml` names, in reading order, as paths without an ending: `book/03-five-steps`."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *_files(toc)]


def _files(entry: dict) -> list[str]:
    below = [inner for group in ("parts", "chapters", "sections") for inner in entry.get(group, [])]
    return [entry[key] for key in ("file",) if key in entry] + [name for inner in below for name in _files(inner)]


def notebooks(root: Path) -> list[str]:
    """The notebooks under book/ in reading order, as paths: `book/03-five-steps.ipynb`."""
    order = {f"{name}.ipynb": number for number, name in enumerate(documents(root))}
    paths = [path.relative_to(root) for path in (root / "book").rglob("*.ipynb")]
    names = [path.as_posix() for path in paths if ".ipynb_checkpoints" not in path.parts]
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def digest(root: Path, files: Iterable[Path]) -> str:
    """sha256 of the files' names and contents."""
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(f"{file.relative_to(root).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def key(root: Path, notebook: str) -> str:
    """What the outputs of a notebook depend on, as one hash."""
    paths = [file for file in (root / "helpers").rglob("*") if file.is_file() and not file.name.startswith(".")]
    package = [file for file in paths if file.parent.name != "__pycache__"]
    scale = os.environ.get("SFT_SCALE", "laptop")
    return f"{scale} {digest(root, [root / notebook, root / 'requirements.lock', *package])}"


def record(root: Path) -> dict[str, dict]:
    """The key and the seconds of each notebook that has been executed."""
    path = root / "executed" / "record.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def is_fresh(root: Path, notebook: str) -> bool:
    """Whether the executed copy belongs to today's source, package, environment and scale."""
    entry = record(root).get(notebook, {})
    return entry.get("key") == key(root, notebook) and (root / "executed" / notebook).exists()


def execute(root: Path, notebook: str, number: int, count: int) -> bool:
    """Run one notebook; keep its executed copy and record it, or print its traceback and return False."""
    wanted, began = key(root, notebook), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(root / notebook, folder))
        trouble = run(copy)
        seconds = time.monotonic() - began
        keep(copy, root / "executed" / ("failed" if trouble else "") / notebook)
    print(f"[{number}/{count}] {notebook} {'failed after ' if trouble else ''}{seconds:.0f} s", flush=True)
    if trouble:
        print(trouble, file=sys.stderr)
        return False
    (root / "executed" / "failed" / notebook).unlink(missing_ok=True)
    entry = {"key": wanted, "seconds": round(seconds, 1), "machine": machine(), "day": date.today().isoformat()}
    enter(root, notebook, entry)
    return True


def run(notebook: Path) -> str:
    """Execute a notebook in its place under nbmake; returns what went wrong, empty if nothing did."""
    environment = {**os.environ, "HELPERS_PROGRESS": "0", "JUPYTER_PREFER_ENV_PATH": "1"}
    # The kernel itself chooses the backend that puts figures into the page.
    environment.pop("MPLBACKEND", None)
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for kernels that import torch before helpers
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // at_once())))
    options = ["--nbmake", "--overwrite", f"--nbmake-timeout={CELL_SECONDS}", "--quiet", "--no-header"]
    location = ["-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={notebook.parent}"]
    command = [sys.executable, "-m", "pytest", *options, *location, str(notebook)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(
            command, env=environment, cwd=notebook.parent, timeout=NOTEBOOK_SECONDS, encoding="utf-8", **streams
        )
    except subprocess.TimeoutExpired:
        return f"it ran longer than {NOTEBOOK_SECONDS} s"
    return f"{done.stdout}\npytest ended with status {done.returncode}" if done.returncode else ""


def keep(source: Path, target: Path) -> None:
    """Copy a file so that a reader of `target` sees the old one or the new one, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.replace(target)


def enter(root: Path, notebook: str, entry: dict) -> None:
    """Put one notebook into the record, at once, so that a later failure does not lose it."""
    with _RECORDING:
        entries = {**record(root), notebook: entry}
        part = root / "executed" / "record.json.part"
        part.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        part.replace(root / "executed" / "record.json")


def machine() -> str:
    """The processor and its cores, as a reader would compare them with those of the own machine."""
    text = CPU.read_text(encoding="utf-8") if CPU.exists() else ""
    names = re.findall(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def report(root: Path, executed: int) -> str:
    """A table of notebooks and the seconds that each took when it last ran."""
    entries = record(root)
    seconds = {notebook: entries[notebook]["seconds"] for notebook in notebooks(root) if notebook in entries}
    width = max(map(len, ["notebook", *seconds]))
    lines = [f"{'notebook':{width}}  seconds", *(f"{name:{width}}  {time:7.0f}" for name, time in seconds.items())]
    lines += [f"{'all':{width}}  {sum(seconds.values()):7.0f}", f"executed now: {executed} of {len(notebooks(root))}"]
    return "\n".join(lines)


def build(root: Path) -> int:
    """Build `_build/html` from `executed/` unless nothing changed; warnings are errors."""
    assemble(root)
    stamp, pages = root / "_build" / "stamp", root / "_build" / "html"
    wanted = digest(root, sources(root))
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(root / "_build", ignore_errors=True)
        options = ["-W", "-n", "--keep-going", "--all", "-q"]
        program = str(Path(sys.executable).with_name("jupyter-book"))
        command = [program, "build", *options, "executed", "--path-output", "."]
        print("building the pages", flush=True)
        if subprocess.run(command, cwd=root, stdout=subprocess.DEVNULL).returncode:
            print("the book has warnings or errors: see above", file=sys.stderr)
            return 1
        try:
            finishing.add_mathjax(pages / "_static")
            page_model.place(pages / "_static")
            finishing.finish(pages)
            terms.finish(pages)
            finishing.redirect(pages)
            finishing.sitemap(pages, documents(root), address.pages(root))
            finishing.packed(pages)
        except (finishing.PageError, AssetError) as error:
            print(error, file=sys.stderr)
            return 1
        stamp.write_text(wanted, encoding="utf-8")
    print(f"open {pages / 'index.html'}")
    return 0


def assemble(root: Path) -> None:
    """Make `executed/` the source of the book: configuration, Markdown, figures, and no page that is gone."""
    site = root / "executed"
    present = {path.relative_to(root) for path in (root / "book").rglob("*") if path.is_file()}
    for path in (site / "book").rglob("*"):
        if path.is_file() and path.relative_to(site) not in present:
            path.unlink()
    for path in [*present, *map(Path, CONFIGURATION)]:
        if path.suffix != ".ipynb":
            keep(root / path, site / path)
    front.fill(root)
    path = site / "_config.yml"
    config = configured(yaml.safe_load(path.read_text(encoding="utf-8")), root)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def configured(config: dict, root: Path) -> dict:
    """The settings for pages from executed notebooks, with buttons where there is an address for them."""
    config["execute"]["execute_notebooks"] = "off"
    if url := address.repository(root):
        config["repository"] = {"url": url, "branch": "main", "path_to_book": ""}
        config["launch_buttons"] = {"notebook_interface": "classic", "colab_url": "https://colab.research.google.com"}
        buttons = dict.fromkeys(("use_repository_button", "use_issues_button", "use_edit_page_button"), True)
        config["html"] |= {"baseurl": address.pages(root), **buttons}
    return config


def sources(root: Path) -> list[Path]:
    """Every file that the HTML depends on."""
    site = root / "executed"
    pages = [path for path in (site / "book").rglob("*") if path.is_file()]
    names = ("address", "book", "front", "page_model", "pages", "terms")
    makers = [path for path in (root / "tools").glob("*.py") if path.stem in names]
    return [*pages, *makers, *(site / name for name in CONFIGURATION), root / "requirements.lock"]


if __name__ == "__main__":
    sys.exit(main())
