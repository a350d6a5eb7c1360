"""The model that runs in the reader's browser: trained, distilled and exported once, and put beside the pages.

    python -m tools.page_model        print its hash, after making it where the cache lacks it (minutes)

It is the smaller classifier of the page on efficiency, in 8 bits: the same rows, the same teacher, the same recipes.
The runtime is onnxruntime-web, which the page loads from its own folder.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import helpers
from helpers.book.widgets import classifier
from helpers.errors import AssetError, InputError, TrainingError

FORMAT = 1  # another change in how the model is made needs another number, so that caches make it anew
LAYERS, SEED = 3, 0
CODE = ("export/graph.py", "export/replay_graph.py", "export/certificate.py", "workflow/distil.py")
LIBRARIES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")
SAVED = "saved"  # the folder of the student in fp32, which the tests compare with
RUNTIMES = {"ort.wasm.bundle.min.mjs": classifier.RUNTIME, "ort-wasm-simd-threaded.wasm": classifier.BINARY}


def main() -> int:
    """Print the hash of the model."""
    try:
        folder = made()
    except (AssetError, InputError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"the model in the page has the sha256 {sha256(folder / classifier.GRAPH)}")
    return 0


def place(static: Path) -> None:
    """Put the model and its runtime beside the pages: as files, and as one script for pages opened from a disk.

    Raises AssetError where it cannot be made or fetched.
    """
    from helpers import assets

    target = static / classifier.FOLDER
    target.mkdir(parents=True, exist_ok=True)
    # In a process of its own, at the scale that the page is about, whatever the scale of the book.
    command = [sys.executable, "-m", "tools.page_model"]
    if subprocess.run(command, env=os.environ | {"SFT_SCALE": "laptop"}).returncode:
        raise AssetError("the model that runs in the page could not be made: see above")
    runtime, model = assets.fetch("onnxruntime-web"), made()
    for source, name in RUNTIMES.items():
        shutil.copyfile(runtime / source, target / name)
    for name in (classifier.GRAPH, classifier.VOCABULARY):
        shutil.copyfile(model / name, target / name)
    hashes = {name: sha256(target / name)[:16] for name in classifier.FILES if name != classifier.ABOUT}
    about = json.loads((model / classifier.ABOUT).read_text(encoding="utf-8")) | {"hashes": hashes}
    (target / classifier.ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    contents = {name: base64.b64encode((target / name).read_bytes()).decode() for name in classifier.FILES}
    (target / classifier.OFFLINE).write_text(classifier.offline(contents), encoding="ascii")


def pack(archive: zipfile.ZipFile, root: str, folder: Path) -> None:
    """Put the model into an archive as the one script that a page from a disk can read."""
    archive.write(folder / classifier.OFFLINE, f"{root}/_static/{classifier.FOLDER}/{classifier.OFFLINE}")


def made() -> Path:
    """The folder with the graph, its vocabulary and what is known of it; trained at the first call."""
    from experiments import efficiency
    from helpers import assets, corpora

    settings = [FORMAT, LAYERS, SEED, efficiency.ROWS, efficiency.TEXTS, efficiency.RECIPE, efficiency.STUDENT]
    settings += [assets.assets()["encoder"].sha256, corpora.load("reviews", scale="laptop").card.sha256]
    identity = json.dumps([*settings, *programs(Path(helpers.__file__).parent)])
    return assets.keep(f"page-model-{hashlib.sha256(identity.encode()).hexdigest()[:12]}", _make)


def programs(package: Path) -> list[str]:
    """The hashes of the code that distils and exports the model, and the versions of what it calls."""
    return [*(sha256(package / name) for name in CODE), *map(version, LIBRARIES)]


def sha256(file: Path) -> str:
    """The hash of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _make(folder: Path) -> Path:
    """Train, distil, export and replay; what the page needs is kept."""
    from helpers import corpora, load
    from helpers.export import exporting

    run, test = _student(), corpora.load("reviews", scale="laptop").data["test"]
    with tempfile.TemporaryDirectory() as scratch:
        content, exported = folder / "content", Path(scratch, "exported")
        saved = run.save(content / SAVED, corpora.load("reviews", scale="laptop").card)
        about = {"model": saved, "data": "the test reviews", "count": len(test)}
        certificate = exporting.export(load(saved), "onnx-int8", test, exported, **about)
        shutil.copyfile(exported / "model.onnx", content / classifier.GRAPH)
    pieces = run.tokenizer.get_vocab()
    lines = sorted(pieces, key=pieces.get)
    (content / classifier.VOCABULARY).write_bytes("\n".join(lines).encode())
    about = {"labels": list(run.task.labels), "max_length": run.task.max_length}
    about |= {"layers": LAYERS, "certificate": certificate.sentence(), "kinds": classifier.kinds()}
    (content / classifier.ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return content


def _student():
    """The smaller classifier of the page on efficiency."""
    from experiments import efficiency
    from experiments.reviews import reviews
    from helpers import Classification, Recipe, corpora, fit, models, sample
    from helpers.workflow.distil import distil

    data, task = reviews(), Classification.for_corpus(corpora.load("reviews", scale="laptop"))
    labelled, texts = (sample(data["train"], rows, SEED) for rows in (efficiency.ROWS, efficiency.TEXTS))
    recipe, taught = (Recipe(**each, seed=SEED) for each in (efficiency.RECIPE, efficiency.STUDENT))
    print("training and distilling the model that runs in the page, once", flush=True)
    teacher = fit(task, task.build(seed=SEED), models.tokenizer(), labelled, data["choosing"], recipe)
    return distil(teacher, texts, LAYERS, data["choosing"], taught)


if __name__ == "__main__":
    sys.exit(main())
