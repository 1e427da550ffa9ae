"""PyTorch's side of benchmarks/use.py: the exported weights in torch.nn, used in sorted batches.

It imports neither JAX nor zoo, so that its start and its memory are its own. Axes: B texts of a
batch, K hypotheses of a text, T time, S source time, V vocabulary.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

UNKNOWN, START, END = 0, 1, 2
# Of 32, 64, 128 and 256 texts a batch, these gave PyTorch's best rates on one core.
CLASSIFIED, SCORED, TRANSLATED = 128, 32, 32

Weights = dict[str, Tensor]


def read(use: str, directory: Path) -> tuple[dict[str, Any], Weights, dict[str, Any]]:
    """Returns the texts with their settings, and the weights and vocabulary of the model."""
    given = json.loads((directory / f"{use}.json").read_text(encoding="utf-8"))
    with safe_open(directory / f"{use}.safetensors", framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return given, weights, json.loads(file.metadata()["zoo"])["vocabulary"]


def build(use: str, directory: Path) -> tuple[list[str], Callable[[list[str]], Any]]:
    """Returns the texts, and a call that gives the results for such texts."""
    given, weights, vocabulary = read(use, directory)
    torch.manual_seed(1)
    call: Callable[[list[str]], Any]
    if use == "classify":
        call = Classifier(weights, vocabulary, given["word"]).eval().classify
    elif use == "score":
        call = LanguageModel(weights, vocabulary["tokens"]).eval().score
    elif use == "generate":
        model, size = LanguageModel(weights, vocabulary["tokens"]).eval(), given["max_tokens"]
        call = lambda texts: model.sample(len(texts), size)  # noqa: E731
    else:
        translator, beam_size = Translator(weights, vocabulary).eval(), given["beam_size"]
        call = lambda texts: translator.translate(texts, beam_size)  # noqa: E731
    return given["texts"], call


def answers(use: str, directory: Path, found: Any) -> Any:
    """Returns the results of a call in the form in which the sides are compared, as plain JSON."""
    if use != "generate":
        return found
    given, weights, vocabulary = read(use, directory)
    model, size = LanguageModel(weights, vocabulary["tokens"]).eval(), given["max_tokens"]
    return {
        "likeliest": model.sample(1, size, greedy=True)[0],
        "nats": [model.mean_nats(text, size) for text in found],
    }


def load_recurrent(network: nn.Module, weights: Weights, prefix: str) -> None:
    """Copies the weights of a recurrent network of one layer, in one or both directions.

    torch.nn has two biases. Only their sum counts, except in the candidate of a GRU: there, the
    reset gate multiplies the second bias.
    """
    state: Weights = {}
    for layer, suffix in (("layer_0", "l0"), ("reverse_layer_0", "l0_reverse")):
        own = f"{prefix}.{layer}."
        if f"{own}bias" in weights:
            bias = weights[f"{own}bias"]
            second = torch.zeros_like(bias)
            if f"{own}candidate_bias" in weights:
                second[2 * len(bias) // 3 :] = weights[f"{own}candidate_bias"]
            state[f"weight_ih_{suffix}"] = weights[f"{own}input_kernel"].T
            state[f"weight_hh_{suffix}"] = weights[f"{own}recurrent_kernel"].T
            state[f"bias_ih_{suffix}"], state[f"bias_hh_{suffix}"] = bias, second
    network.load_state_dict(state)


def linear(weights: Weights, kernel: str, bias: str = "") -> nn.Linear:
    """Returns a linear layer with a kernel [inputs, outputs] of the file."""
    matrix = weights[kernel].T
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=bool(bias))
    layer.load_state_dict({"weight": matrix} | ({"bias": weights[bias]} if bias else {}))
    return layer


def batches(rows: Sequence[list[int]], size: int) -> Iterator[tuple[list[int], Tensor]]:
    """Yields the numbers of rows of similar length, the longest first, and their lengths."""
    order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))
    for start in range(0, len(order), size):
        part = order[start : start + size]
        yield part, torch.tensor([len(rows[number]) for number in part])


def pad(rows: Sequence[list[int]]) -> Tensor:
    """Returns int64[B, T], padded with the end."""
    longest = max(map(len, rows))
    return torch.tensor([row + [END] * (longest - len(row)) for row in rows])


def ids_of(tokens: list[str]) -> dict[str, int]:
    """Returns the id of each ordinary token."""
    return {token: number for number, token in enumerate(tokens) if number > END}


class Classifier(nn.Module):
    """A bidirectional LSTM, max pooling, and two layers on top."""

    def __init__(self, weights: Weights, vocabulary: dict[str, Any], word: str):
        super().__init__()
        self.find = ids_of(vocabulary["tokens"]["tokens"]).get
        self.labels, self.word = vocabulary["labels"]["names"], re.compile(word)
        self.embedding = nn.Embedding.from_pretrained(weights["embedding"])
        units = weights["stack.layer_0.recurrent_kernel"].shape[0]
        width = self.embedding.embedding_dim
        self.layers = nn.LSTM(width, units, batch_first=True, bidirectional=True)
        load_recurrent(self.layers, weights, "stack")
        self.head = nn.Sequential(
            linear(weights, "head.hidden_kernel", "head.hidden_bias"),
            nn.ReLU(),
            linear(weights, "head.output_kernel", "head.output_bias"),
        )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Returns the probabilities [B, C] of the labels of rows that are sorted by length."""
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True)
        lowest = torch.finfo(torch.float32).min
        states, _ = pad_packed_sequence(
            self.layers(packed)[0], batch_first=True, padding_value=lowest
        )
        return self.head(states.amax(dim=1)).softmax(dim=-1)

    @torch.inference_mode()
    def classify(self, texts: list[str]) -> list[tuple[str, list[float]]]:
        """Returns the most probable label of each text, and the probability of every label."""
        split, find = self.word.findall, self.find
        words = (split(text.lower().replace("\u2019", "'")) for text in texts)
        rows = [[find(word, UNKNOWN) for word in own] + [END] for own in words]
        found: list[Any] = [None] * len(texts)
        for part, lengths in batches(rows, CLASSIFIED):
            probabilities = self(pad([rows[number] for number in part]), lengths)
            best = probabilities.argmax(dim=1).tolist()
            for number, label, row in zip(part, best, probabilities.tolist(), strict=True):
                found[number] = (self.labels[label], row)
        return found


class LanguageModel(nn.Module):
    """An LSTM over characters."""

    def __init__(self, weights: Weights, tokens: list[str]):
        super().__init__()
        self.tokens, self.find = tokens, ids_of(tokens).get
        self.embedding = nn.Embedding.from_pretrained(weights["embedding"])
        units = weights["stack.layer_0.recurrent_kernel"].shape[0]
        self.layers = nn.LSTM(self.embedding.embedding_dim, units, batch_first=True)
        load_recurrent(self.layers, weights, "stack")
        self.output = linear(weights, "output_kernel", "output_bias")

    def losses(self, targets: Tensor) -> Tensor:
        """Returns the negative log-probabilities [B, T] of tokens that follow the start."""
        inputs = targets.roll(1, dims=1)
        inputs[:, 0] = START
        inputs[inputs == END] = START  # a line ends, and the next one starts
        logits = self.output(self.layers(self.embedding(inputs))[0])
        return nn.functional.cross_entropy(logits.mT, targets, reduction="none")

    @torch.inference_mode()
    def score(self, texts: list[str]) -> list[float]:
        """Returns the negative log-probability of each text with its end, in nats."""
        find = self.find
        rows = [[find(character, UNKNOWN) for character in text] + [END] for text in texts]
        found = [0.0] * len(texts)
        for part, lengths in batches(rows, SCORED):
            losses = self.losses(pad([rows[number] for number in part]))
            real = torch.arange(losses.shape[1]) < lengths[:, None]
            for number, nats in zip(part, (losses * real).sum(dim=1).tolist(), strict=True):
                found[number] = nats
        return found

    @torch.inference_mode()
    def mean_nats(self, text: str, size: int) -> float:
        """Returns the mean over the first tokens of a text. Its lines are read as one sequence."""
        tokens = [END if one == "\n" else self.find(one, UNKNOWN) for one in text] + [END]
        return self.losses(torch.tensor([tokens[:size]])).mean().item()

    @torch.inference_mode()
    def sample(self, count: int, size: int, *, greedy: bool = False) -> list[str]:
        """Returns texts of some tokens each, drawn from the model or the most probable ones."""
        tokens, state, drawn = torch.full((count, 1), START), None, []
        for _ in range(size):
            hidden, state = self.layers(self.embedding(tokens), state)
            logits = self.output(hidden[:, 0])
            logits[:, :END] = -torch.inf
            if greedy:
                tokens = logits.argmax(dim=1, keepdim=True)
            else:
                tokens = torch.multinomial(logits.softmax(dim=1), 1)
            drawn.append(tokens)
            tokens = torch.where(tokens == END, START, tokens)
        names = [*self.tokens[:END], "\n", *self.tokens[END + 1 :]]
        return ["".join(names[token] for token in row) for row in torch.cat(drawn, 1).tolist()]


class Translator(nn.Module):
    """A bidirectional GRU encoder, and a GRU decoder with additive attention."""

    def __init__(self, weights: Weights, vocabulary: dict[str, Any]):
        super().__init__()
        self.find = ids_of(vocabulary["source"]["tokens"]).get
        self.names = vocabulary["target"]["tokens"]
        self.source = nn.Embedding.from_pretrained(weights["source_embedding"])
        self.target = nn.Embedding.from_pretrained(weights["target_embedding"])
        width, size = self.target.embedding_dim, weights["output_kernel"].shape[0]
        self.encoder = nn.GRU(width, size // 2, batch_first=True, bidirectional=True)
        load_recurrent(self.encoder, weights, "encoder.stack")
        self.decoder = nn.GRU(width, size, batch_first=True)
        load_recurrent(self.decoder, weights, "decoder.stack")
        self.start = linear(weights, "decoder.start_kernel", "decoder.start_bias")
        attention = "decoder.look.attention."
        self.query = linear(weights, f"{attention}query_kernel")
        self.key = linear(weights, f"{attention}key_kernel", f"{attention}bias")
        self.vector = nn.Parameter(weights[f"{attention}vector"])
        self.join = linear(weights, "decoder.look.kernel", "decoder.look.bias")
        self.output = linear(weights, "output_kernel", "output_bias")

    def encode(self, sources: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Returns the first state [1, B, H], the keys and values [B, S, H] and the mask [B, S]."""
        packed = pack_padded_sequence(self.source(sources), lengths, batch_first=True)
        packed_states, last = self.encoder(packed)
        states, _ = pad_packed_sequence(packed_states, batch_first=True)
        state = torch.tanh(self.start(torch.cat([last[0], last[1]], dim=-1)))[None]
        padding = torch.arange(states.shape[1]) >= lengths[:, None]
        return state, self.key(states), states, padding

    def step(self, tokens: Tensor, state: Tensor, *memory: Tensor) -> tuple[Tensor, Tensor]:
        """Returns log-probabilities [B, V] after the tokens [B], and the next state."""
        keys, values, padding = memory
        hidden, state = self.decoder(self.target(tokens[:, None]), state)
        scores = torch.tanh(self.query(hidden) + keys) @ self.vector
        weights = scores.masked_fill(padding, -torch.inf).softmax(dim=-1)
        context = weights[:, None] @ values
        joined = torch.tanh(self.join(torch.cat([context, hidden], dim=-1)))
        return self.output(joined[:, 0]).log_softmax(dim=-1), state

    @torch.inference_mode()
    def translate(self, texts: list[str], beam_size: int) -> list[str]:
        """Returns the translation of each text by greedy decoding or by beam search."""
        rows = [[self.find(word, UNKNOWN) for word in text.split()] + [END] for text in texts]
        found = [""] * len(texts)
        for part, lengths in batches(rows, TRANSLATED):
            encoded = self.encode(pad([rows[number] for number in part]), lengths)
            max_steps = 2 * int(lengths[0]) + 8
            if beam_size == 1:
                written = self.greedy(*encoded, max_steps=max_steps)
            else:
                written = self.beam(*encoded, max_steps=max_steps, width=beam_size)
            for number, row in zip(part, written.tolist(), strict=True):
                row = row[: row.index(END)] if END in row else row
                found[number] = " ".join(self.names[token] for token in row)
        return found

    def greedy(self, state: Tensor, *memory: Tensor, max_steps: int) -> Tensor:
        """Returns the most probable token at each step, int64[B, T]."""
        tokens = torch.full((state.shape[1],), START)
        ended, written = torch.zeros(state.shape[1], dtype=torch.bool), []
        for _ in range(max_steps):
            gains, state = self.step(tokens, state, *memory)
            gains[:, :END] = -torch.inf
            tokens = gains.argmax(dim=1).masked_fill(ended, END)
            written.append(tokens)
            ended |= tokens == END
            if ended.all():
                break
        return torch.stack(written, dim=1)

    def beam(self, state: Tensor, *memory: Tensor, max_steps: int, width: int) -> Tensor:
        """Returns the hypothesis [B, T] with the best mean log-probability per token.

        An extension by the end that is among the K best extensions is finished. The K best others
        go on, until none of them can beat the worst of the K best finished ones.
        """
        batch = state.shape[1]
        state = state.repeat_interleave(width, dim=1)
        memory = tuple(array.repeat_interleave(width, dim=0) for array in memory)
        first = torch.arange(batch)[:, None]
        totals = torch.full((batch, width), -torch.inf)
        totals[:, 0] = 0.0  # all K start equal, so only one of them may count
        written = torch.full((batch, width, max_steps), END)
        best_scores, best_written = torch.full((batch, width), -torch.inf), written
        tokens = torch.full((batch, width), START)
        for length in range(1, max_steps + 1):
            gains, state = self.step(tokens.flatten(), state, *memory)
            gains[:, :END] = -torch.inf
            every = (totals[..., None] + gains.view(batch, width, -1)).flatten(1)
            sums, chosen = every.topk(2 * width, dim=1)
            parents, tokens = chosen // gains.shape[1], chosen % gains.shape[1]
            extended = written[first, parents]
            extended[:, :, length - 1] = tokens
            is_end = tokens == END
            scores = (sums / length).masked_fill(~is_end, -torch.inf)[:, :width]
            best_scores, places = torch.cat([best_scores, scores], dim=1).topk(width, dim=1)
            both = torch.cat([best_written, extended[:, :width]], dim=1)
            best_written = both[first, places]
            totals, alive = sums.masked_fill(is_end, -torch.inf).topk(width, dim=1)
            tokens, written = tokens.gather(1, alive), extended[first, alive]
            rows = (first * width + parents.gather(1, alive)).flatten()
            state = state[:, rows]
            if not (totals[:, 0] / max_steps > best_scores[:, -1]).any():
                return best_written[:, 0]
        scores = torch.cat([best_scores, totals / max_steps], dim=1)
        return torch.cat([best_written, written], dim=1)[first[:, 0], scores.argmax(dim=1)]
