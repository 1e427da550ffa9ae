"""The same models with torch.nn, eager; on a GPU, if there is one, its LSTM is cuDNN's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.rows import (
    CLIP_NORM,
    NUM_LABELS,
    RATE,
    Row,
    random_labels,
    random_lengths,
    random_tokens,
)

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as in cuDNN's LSTM and jax


def build(row: Row, steps_a_call: int) -> Callable[[], float]:
    """Returns a call that takes the given number of steps, waits, and returns the last loss."""
    torch.manual_seed(0)
    model: Any = MODELS[row.kind](row).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step() -> float:
        for _ in range(steps_a_call):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(DEVICE, torch.bfloat16, enabled=row.dtype == "bfloat16"):
                loss = model()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
        return loss.item()

    return step


def on_device(array: np.ndarray) -> torch.Tensor:
    """Returns an array of tokens or labels as a tensor on the device."""
    return torch.from_numpy(np.ascontiguousarray(array)).long().to(DEVICE)


class LanguageModel(nn.Module):
    """Embedding, layers, softmax; the state is carried from step to step."""

    def __init__(self, row: Row):
        super().__init__()
        self.embedding = nn.Embedding(row.vocabulary, row.size)
        self.layers = CELLS[row.cell](row.size, row.size, row.layers, batch_first=True)
        self.output = nn.Linear(row.size, row.vocabulary)
        self.inputs, self.targets = (on_device(side) for side in random_tokens(row))
        zeros = torch.zeros(row.layers, row.batch, row.size, device=DEVICE)
        self.carry = (zeros, zeros) if row.cell == "lstm" else zeros

    def forward(self) -> torch.Tensor:
        """Returns the mean loss in nats."""
        hidden, carry = self.layers(self.embedding(self.inputs), self.carry)
        is_pair = isinstance(carry, tuple)
        self.carry = tuple(part.detach() for part in carry) if is_pair else carry.detach()
        logits = self.output(hidden)
        return F.cross_entropy(logits.flatten(0, 1), self.targets.flatten())


class Translator(nn.Module):
    """A bidirectional encoder, and a decoder with bilinear attention."""

    def __init__(self, row: Row):
        super().__init__()
        self.sources, self.targets = (on_device(side) for side in random_tokens(row))
        self.inputs = self.targets.roll(1, dims=1)
        self.lengths = torch.from_numpy(random_lengths(row)).long()
        steps = torch.arange(row.steps)[None]
        self.real = (steps < self.lengths[:, None]).to(DEVICE)
        cell, size = CELLS[row.cell], row.size
        self.embeddings = nn.ModuleList(nn.Embedding(row.vocabulary, size) for _ in range(2))
        self.encoder = cell(size, size // 2, row.layers, batch_first=True, bidirectional=True)
        self.decoder = cell(size, size, row.layers, batch_first=True)
        self.start, self.score, self.join = (
            nn.Linear(size, size),
            nn.Linear(size, size, bias=False),
            nn.Linear(2 * size, size),
        )
        self.output = nn.Linear(size, row.vocabulary)

    def forward(self) -> torch.Tensor:
        """Returns the mean loss in nats over the real target tokens."""
        packed = pack_padded_sequence(
            self.embeddings[0](self.sources), self.lengths, batch_first=True, enforce_sorted=False
        )
        states, last = self.encoder(packed)
        states, _ = pad_packed_sequence(
            states, batch_first=True, total_length=self.sources.shape[1]
        )
        start = torch.tanh(self.start(torch.cat([last[-2], last[-1]], dim=-1)))[None]
        hidden, _ = self.decoder(self.embeddings[1](self.inputs), start)
        scores = hidden @ self.score(states).transpose(1, 2) / states.shape[-1] ** 0.5
        weights = scores.masked_fill(~self.real[:, None], -torch.inf).softmax(dim=-1)
        hidden = torch.tanh(self.join(torch.cat([weights @ states, hidden], dim=-1)))
        logits = self.output(hidden)
        return F.cross_entropy(logits[self.real], self.targets[self.real])


class Classifier(nn.Module):
    """Bidirectional layers, mean pooling, and two layers on top."""

    def __init__(self, row: Row):
        super().__init__()
        tokens, _ = random_tokens(row)
        self.tokens, self.labels = on_device(tokens), on_device(random_labels(row))
        self.lengths = torch.from_numpy(random_lengths(row)).long()
        self.embedding = nn.Embedding(row.vocabulary, row.size)
        self.layers = CELLS[row.cell](
            row.size, row.size // 2, row.layers, batch_first=True, bidirectional=True
        )
        self.head = nn.Sequential(
            nn.Linear(row.size, row.size), nn.ReLU(), nn.Linear(row.size, NUM_LABELS)
        )

    def forward(self) -> torch.Tensor:
        """Returns the mean loss in nats."""
        packed = pack_padded_sequence(
            self.embedding(self.tokens), self.lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.layers(packed)[0], batch_first=True)
        pooled = states.sum(dim=1) / self.lengths[:, None].to(DEVICE)
        return F.cross_entropy(self.head(pooled), self.labels)


MODELS: dict[str, Any] = {
    "language_model": LanguageModel,
    "translator": Translator,
    "classifier": Classifier,
}
