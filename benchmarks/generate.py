"""Sampling speed of an LSTM language model, ours compared with torch.nn.LSTM in a loop.

    python benchmarks/generate.py
    python benchmarks/generate.py --json=generate.json

Both sides draw from the softmax at every step, feed the token back, and give the tokens to the
host. Their processes alternate; each warms up with one text, then times the others. Needs the extra
benchmarks.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.processes import median_seconds, run_apart
from benchmarks.rows import ROWS, Row

CASES = tuple((row, batch) for row in ("lstm_2x200", "lstm_1x256") for batch in (1, 64))
NUM_TOKENS = 256


def ours(row: Row, batch: int) -> Callable[[], int]:
    """Returns a call that draws NUM_TOKENS tokens per row of a batch and returns their number."""
    from benchmarks.ours import language_model
    from zoo.data.vocabulary import build_vocabulary
    from zoo.decoding.generation import generate
    from zoo.models.trained import TrainedLanguageModel

    words = [" ".join(f"w{number}" for number in range(row.vocabulary - 3))]
    vocabulary = build_vocabulary("word", words)
    task, params, _, _ = language_model(row)
    checkpoint = TrainedLanguageModel(model=task.model, params=params, vocabulary=vocabulary)

    def call() -> int:
        texts = generate(checkpoint, [""] * batch, max_tokens=NUM_TOKENS, stop="length")
        assert len(texts) == batch
        return NUM_TOKENS * batch

    return call


def torch_loop(row: Row, batch: int) -> Callable[[], int]:
    """Returns the same call with torch's modules, a step at a time."""
    import torch

    from benchmarks.peers_torch import DEVICE, LanguageModel

    torch.manual_seed(0)
    model = LanguageModel(row._replace(batch=batch)).to(DEVICE).eval()

    @torch.inference_mode()
    def call() -> int:
        tokens = torch.ones(batch, 1, dtype=torch.long, device=DEVICE)
        carry, drawn = None, []
        for _ in range(NUM_TOKENS):
            hidden, carry = model.layers(model.embedding(tokens), carry)
            probabilities = model.output(hidden[:, -1]).softmax(dim=-1)
            tokens = torch.multinomial(probabilities, 1)
            drawn.append(tokens)
        assert torch.cat(drawn, dim=1).cpu().shape == (batch, NUM_TOKENS)
        return NUM_TOKENS * batch

    return call


SIDES = {"ours": ours, "torch": torch_loop}


def measure(side: str, row: str, batch: int, rounds: int) -> float:
    """Returns the tokens per second in this process, the median over some texts."""
    call = SIDES[side](ROWS[row], batch)
    num_tokens = call()
    return num_tokens / median_seconds(call, rounds)


def measure_apart(side: str, row: str, batch: int, rounds: int) -> float:
    """Runs `measure` in a process of its own."""
    return run_apart(__file__, f"--rounds={rounds}", "--measure", side, row, str(batch))


def main() -> None:
    """Prints the table, or with --measure the rate of one side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes per side, and texts each")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    parser.add_argument("--measure", nargs=3, metavar=("SIDE", "ROW", "BATCH"))
    arguments = parser.parse_args()
    if arguments.measure:
        side, row, batch = arguments.measure
        print(measure(side, row, int(batch), arguments.rounds))
        return
    print(
        "| row | batch | ours, tokens/s | torch, tokens/s | times faster |\n|---|---|---|---|---|"
    )
    results = []
    for row, batch in CASES:
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(arguments.rounds):
            for side in SIDES:
                rates[side].append(measure_apart(side, row, batch, arguments.rounds))
        ratios = sorted(a / b for a, b in zip(rates["ours"], rates["torch"], strict=True))
        results.append({"row": row, "batch": batch, **rates})
        print(
            f"| {row} | {batch} | {statistics.median(rates['ours']):,.0f} | "
            f"{statistics.median(rates['torch']):,.0f} | {statistics.median(ratios):.1f} "
            f"({ratios[0]:.1f}-{ratios[-1]:.1f}) |",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
