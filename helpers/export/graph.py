"""ONNX: the network of a classifier, a tagger or a span finder as a graph that onnxruntime runs without PyTorch."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoConfig, PreTrainedModel

from helpers import models
from helpers.data.batching import rows_at
from helpers.errors import InputError
from helpers.export.formats import Format
from helpers.saving.folder import check_labels, read_tokenizer
from helpers.tasks import registry
from helpers.tasks.base import Predictor, Task
from helpers.tasks.tagging.heads import TransitionScores

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = {"extraction": ("start_logits", "end_logits")}  # of the others: logits
AXES = {0: "rows", 1: "tokens"}
TRANSITIONS = "transitions.json"  # of a CRF, which decodes what the graph computes
RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def write(predictor: Predictor, form: Format, rows: Dataset, folder: Path) -> None:
    """Write the graph into a folder, and beside it the tokenizer, the task and the transition scores of a CRF.

    Args:
        rows: at least two, of which the shapes of the network's inputs are taken.

    Raises InputError if PyTorch cannot trace the model.
    """
    task, model, tokenizer = predictor.task, predictor.model, predictor.tokenizer
    inputs = _inputs(predictor, rows)
    with _quiet():
        try:
            _traced(model, task, inputs).save(folder / form.file, external_data=False)
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).strip().partition("\n")[0]
            family = model.config.model_type
            raise InputError(f"PyTorch makes no ONNX graph of this model ({family}: {reason})") from error
        if form.rounded:
            _round(folder / form.file)
        model.config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / "task.json").write_text(json.dumps(task.to_dict(), indent=2, ensure_ascii=False), encoding="utf-8")
    if hasattr(model, "crf"):
        (folder / TRANSITIONS).write_text(json.dumps(transition_scores(model)), encoding="utf-8")


def load(folder: Path, form: Format) -> Predictor:
    """What `write` wrote, with the graph in the place of the model; InputError if its files are damaged or disagree."""
    try:
        task = registry.from_dict(json.loads((folder / "task.json").read_text(encoding="utf-8")))
        graph = Graph(folder / form.file, apart=form.rounded)
        if (folder / TRANSITIONS).exists():
            scores = json.loads((folder / TRANSITIONS).read_text(encoding="utf-8"))
            graph.crf = TransitionScores(len(task.tags))
            graph.crf.load_state_dict({name: torch.tensor(score) for name, score in scores.items()})
        tokenizer = read_tokenizer(folder)
        check_labels(folder, task, graph.config)
    except Exception as error:  # those of onnxruntime have no class of their own in common
        if isinstance(error, InputError | MemoryError):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"the exported model in '{folder}' cannot be read ({type(error).__name__}: {reason}); export it again"
        ) from error
    _check_width(folder, task, graph)
    return Predictor(task, graph, tokenizer)


def _check_width(folder: Path, task: Task, graph: "Graph") -> None:
    """InputError if a graph gives another number of scores than the task has labels."""
    labels, width = task.configuration().get("id2label"), graph.session.get_outputs()[0].shape[-1]
    if labels is not None and isinstance(width, int) and width != len(labels):
        raise InputError(
            f"the graph in '{folder}' gives {width} scores, and its task.json names {len(labels)} labels; export the "
            "model again"
        )


def transition_scores(model: PreTrainedModel) -> dict[str, list]:
    """The scores of a CRF by name: start (C,), between (C, C) from row to column, end (C,)."""
    return {name: score.tolist() for name, score in model.crf.state_dict().items()}


class Graph(nn.Module):
    """An ONNX file behind the interface of the model that it was made from, so that a task can use it.

    Args:
        apart: whether each row is read alone, as a graph in 8 bits must be: onnxruntime rounds the activations of a
            batch on one scale, so that a row's answer would depend on the rows beside it.
    """

    device = torch.device("cpu")

    def __init__(self, path: Path, *, apart: bool = False):
        super().__init__()
        self.apart = apart
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        options.intra_op_num_threads = torch.get_num_threads()
        # Without VNNI, x86 adds pairs of 8-bit products in 16 bits, which can overflow; this takes a way that cannot.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.config = AutoConfig.from_pretrained(path.parent, local_files_only=True)

    def forward(self, **inputs: Tensor) -> SimpleNamespace:
        """The outputs of the graph by name, (B, C) or (B, T, C), or (B, T) each for start and end."""
        values = {known.name: inputs[known.name].numpy() for known in self.session.get_inputs()}
        outputs = self.session.get_outputs()
        results = self._row_by_row(values) if self.apart else self.session.run(None, values)
        return SimpleNamespace(**{o.name: torch.from_numpy(value) for o, value in zip(outputs, results, strict=True)})

    def _row_by_row(self, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of a batch whose rows are read one after the other, without their padding."""
        lengths, width = values["attention_mask"].sum(1), values["attention_mask"].shape[1]
        rows = [
            self.session.run(None, {name: value[i : i + 1, :length] for name, value in values.items()})
            for i, length in enumerate(lengths)
        ]
        return [
            np.concatenate([_widened(row[k], width) if _of_tokens(output) else row[k] for row in rows])
            for k, output in enumerate(self.session.get_outputs())
        ]


def _of_tokens(output: onnxruntime.NodeArg) -> bool:
    """Whether an output has one entry a token: its second dimension has a name and no number."""
    return isinstance(output.shape[1], str)


def _widened(output: np.ndarray, width: int) -> np.ndarray:
    """The output of a row, (1, T, ...), with zeros for padding up to `width` tokens."""
    return np.pad(output, [(0, 0), (0, width - output.shape[1]), *[(0, 0)] * (output.ndim - 2)])


class _Outputs(nn.Module):
    """A model that takes and returns tensors alone."""

    def __init__(self, model: PreTrainedModel, names: tuple[str, ...]):
        super().__init__()
        self.model, self.names = model, names

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        kinds = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **kinds)
        return tuple(output[name] for name in self.names)


def _inputs(predictor: Predictor, rows: Dataset) -> dict[str, Tensor]:
    """The network's inputs for a batch of two rows of different lengths."""
    encoded = predictor.encode(rows)
    lengths = [len(ids) for ids in encoded["input_ids"]]
    pair = [lengths.index(min(lengths)), lengths.index(max(lengths))]
    batch = predictor.task.collate(rows_at(encoded, pair), predictor.model.config.pad_token_id or 0)
    return {name: batch[name] for name in INPUTS if name in batch}  # (2, T) each


def _traced(model: PreTrainedModel, task: Task, inputs: dict[str, Tensor]) -> torch.onnx.ONNXProgram:
    """The graph of a model for any number of rows and tokens."""
    names = OUTPUTS.get(task.name, ("logits",))
    return torch.onnx.export(
        _Outputs(model, names).eval(),
        kwargs=inputs,
        input_names=list(inputs),
        output_names=list(names),
        dynamic_shapes={name: AXES for name in inputs},
        dynamo=True,
        verbose=False,
    )


def _round(path: Path) -> None:
    """Round the weights of a graph to 8 bits, each row of a matrix on a scale of its own."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # needs onnx, which whoever runs a graph does not

    whole = path.rename(path.with_suffix(".fp32"))
    quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)
    whole.unlink()


@contextmanager
def _quiet() -> Iterator[None]:
    """While this lasts, the exporter tells nothing but errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), models.quiet(slow=False):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
