"""Kneser-Ney against plain loops over dictionaries, published figures, and what must hold."""

import itertools
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.batching import shift_targets
from zoo.data.vocabulary import build_vocabulary, encode_lines
from zoo.errors import UserError
from zoo.models import kneser_ney
from zoo.models.kneser_ney import FALLBACK_DISCOUNTS, estimate_discounts
from zoo.models.ngram_lm import NGramConfig, NGramLM
from zoo.special_tokens import END_ID, START_ID, UNKNOWN_ID

SHARED = Path(__file__).parents[2] / ".." / "shared"
V = 12


def make_text(num_tokens: int, seed: int) -> np.ndarray:
    """Sentences with frequent and rare words, so that all counts from 1 to 4 occur."""
    draw = np.random.default_rng(seed)
    words = 3 + draw.geometric(0.25, size=num_tokens).clip(max=V - 3) - 1
    words[draw.random(num_tokens) < 0.15] = END_ID
    words[-1] = END_ID
    return words.astype(np.int32)


TEXT = make_text(600, 1)
OTHER = make_text(200, 2)


class PlainKneserNey:
    """The equations of zoo/models/kneser_ney.py, one dictionary look-up at a time."""

    def __init__(self, tokens: np.ndarray, order: int):
        self.order = order
        raw: list[Counter] = [Counter() for _ in range(order + 1)]
        for sentence in split_sentences(tokens):
            padded = (START_ID, *sentence)
            for n in range(1, order + 1):
                raw[n].update(padded[i : i + n] for i in range(len(padded) - n + 1))
        self.counts: list[Counter] = [Counter() for _ in range(order + 1)]
        for n in range(1, order + 1):
            left = Counter(gram[1:] for gram in raw[n + 1]) if n < order else Counter()
            for gram, count in raw[n].items():
                if gram == (START_ID,):
                    continue
                as_it_is = n == order or gram[0] == START_ID
                self.counts[n][gram] = count if as_it_is else left[gram]
        self.discounts = [None] + [self.estimate(n) for n in range(1, order + 1)]
        self.followers: dict[tuple, dict[int, int]] = defaultdict(dict)
        for n in range(1, order + 1):
            for gram, count in self.counts[n].items():
                self.followers[gram[:-1]][gram[-1]] = count

    def estimate(self, n: int) -> tuple[float, ...]:
        of = Counter(self.counts[n].values())
        if not all(of[k] for k in (1, 2, 3)):
            return FALLBACK_DISCOUNTS
        y = of[1] / (of[1] + 2 * of[2])
        found = tuple(k - (k + 1) * y * of[k + 1] / of[k] for k in (1, 2, 3))
        valid = all(0 <= discount <= k for k, discount in enumerate(found, 1))
        return found if valid else FALLBACK_DISCOUNTS

    def discount(self, n: int, count: int) -> float:
        return self.discounts[n][min(count, 3) - 1] if count else 0.0

    def probability(self, word: int, history: tuple[int, ...]) -> float:
        if word == START_ID:
            return 0.0
        lower = self.probability(word, history[1:]) if history else 1 / (V - 1)
        followers, n = self.followers.get(history, {}), len(history) + 1
        total = sum(followers.values())
        if not total:
            return lower
        gamma = sum(self.discount(n, count) for count in followers.values()) / total
        count = followers.get(word, 0)
        return max(count - self.discount(n, count), 0) / total + gamma * lower


def split_sentences(tokens: np.ndarray) -> list[tuple[int, ...]]:
    ends = np.flatnonzero(tokens == END_ID) + 1
    return [tuple(part.tolist()) for part in np.split(tokens, ends[:-1])]


def score(tokens: np.ndarray, trained: Any, order: int, size: int = V) -> np.ndarray:
    model = NGramLM(NGramConfig(order=order), size)
    return model.token_log_probabilities(trained.params, shift_targets(tokens), tokens)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equals_the_equations_in_plain_loops(order: int) -> None:
    plain = PlainKneserNey(TEXT, order)
    trained = kneser_ney.estimate(TEXT, NGramConfig(order=order), V)
    assert order in (1, 5) or plain.discounts[order] != FALLBACK_DISCOUNTS
    for text in (TEXT, OTHER):
        expected = []
        for sentence in split_sentences(text):
            padded = (START_ID, *sentence)
            for i in range(1, len(padded)):
                expected.append(plain.probability(padded[i], padded[max(0, i - order + 1) : i]))
        np.testing.assert_allclose(np.exp(score(text, trained, order)), expected, rtol=1e-5)


def test_whole_distributions_equal_the_equations() -> None:
    plain = PlainKneserNey(TEXT, 3)
    trained = kneser_ney.estimate(TEXT, NGramConfig(order=3), V)
    inputs = shift_targets(OTHER)[None, :40]
    output = jax.jit(NGramLM(NGramConfig(order=3), V).apply)({"params": trained.params}, inputs)
    history: tuple[int, ...] = ()
    for step, token in enumerate(inputs[0].tolist()):
        history = (token,) if token == START_ID else (*history, token)[-2:]
        expected = [plain.probability(word, history) for word in range(V)]
        found = np.exp(output.logits[0, step])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@given(
    tokens=st.lists(st.integers(0, V - 1), min_size=1, max_size=80),
    order=st.integers(1, 6),
    min_counts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_probabilities_of_every_history_sum_to_one(
    tokens: list[int], order: int, min_counts: list[int]
) -> None:
    text = np.array([token for token in tokens if token != START_ID] + [END_ID], np.int32)
    config = NGramConfig(order=order, min_counts=tuple(min_counts))
    trained = kneser_ney.estimate(text, config, V)
    model = NGramLM(config, V)
    sums = np.zeros(len(OTHER))
    for word in range(V):  # every word in the place of every target
        words = np.full_like(OTHER, word)
        sums += np.exp(model.token_log_probabilities(trained.params, shift_targets(OTHER), words))
    np.testing.assert_allclose(sums, 1, rtol=1e-4)


def test_discounts_that_cannot_be_estimated_are_told_and_replaced() -> None:
    text = np.array([3, 4, 5, END_ID, 6, 7, END_ID], np.int32)  # every n-gram once, as deduplicated
    trained = kneser_ney.estimate(text, NGramConfig(order=2), V)
    assert [note.split(" cannot")[0] for note in trained.notes] == [
        "the discounts of order 1",
        "the discounts of order 2",
    ]
    plain = PlainKneserNey(text, 2)
    assert plain.discounts[2] == FALLBACK_DISCOUNTS
    first = np.exp(score(text, trained, 2)[0])
    assert first == pytest.approx(plain.probability(3, (START_ID,)))


@pytest.mark.parametrize(
    ("counts", "valid"),
    [
        ([1] * 8 + [2] * 4 + [3] * 2 + [4], True),
        ([1] * 8 + [2] * 4 + [3] * 2, True),  # no n-gram with count 4: D_3 is 3
        ([1] * 8 + [2] * 4 + [4] * 2, False),  # none with count 3
        ([1] * 6 + [2] + [3] * 3 + [4], False),  # D_2 would be below 0
        ([0, 7, 9], False),
    ],
)
def test_when_discounts_can_be_estimated(counts: list[int], valid: bool) -> None:
    found = estimate_discounts(np.array(counts))
    assert (found is not None) == valid
    if found:
        assert all(0 <= discount <= k for k, discount in enumerate(found, 1))


def test_orders_beyond_the_longest_sentence_are_left_out() -> None:
    text = np.array([3, END_ID, 4, END_ID], np.int32)
    trained = kneser_ney.estimate(text, NGramConfig(order=7), V)
    assert sorted(trained.params) == ["order_1", "order_2", "order_3"]
    assert np.isfinite(score(text, trained, 7)).all()


def test_cut_offs_drop_the_rare_and_keep_the_frequent() -> None:
    whole = kneser_ney.estimate(TEXT, NGramConfig(order=3), V)
    cut = kneser_ney.estimate(TEXT, NGramConfig(order=3, min_counts=(1, 1, 2)), V)
    occurrences = Counter(
        gram
        for sentence in split_sentences(TEXT)
        for gram in itertools.pairwise(itertools.pairwise((START_ID, *sentence)))
    )
    assert whole.num_ngrams[2] == len(occurrences)
    assert cut.num_ngrams[2] == sum(count >= 2 for count in occurrences.values())
    assert cut.num_ngrams[:2] == whole.num_ngrams[:2]
    assert not np.allclose(score(OTHER, cut, 3), score(OTHER, whole, 3))


def gold_text(num_sentences: int, state: int) -> list[str]:
    """Sentences by a linear congruential generator: the same on every machine."""
    names = ["ash", "bay", "cod", "dew", "elm", "fig", "gum", "hen"]
    names += ["ivy", "jay", "koi", "leg", "mud", "nut", "oak", "pea"]
    lines = []
    for _ in range(num_sentences):
        words = []
        state = (1103515245 * state + 12345) % 2**31
        for _ in range(1 + (state >> 16) % 8):
            state = (1103515245 * state + 12345) % 2**31
            draw = state >> 16
            words.append(names[min(draw % 16, draw // 16 % 16)])
        lines.append(" ".join(words))
    return lines


# log10 of every token of gold_text(5, 2) and "ash zebra bay" after gold_text(80, 1), by KenLM:
# lmplz -o ORDER --interpolate_unigrams 1 --discount_fallback, then query -v word. At order 5 the
# discounts of orders 4 and 5 are its fallback.
KENLM = {
    2: """-0.79729646 -2.0937352 -1.5520866 -2.2014947 -0.75682855 -0.8063288 -1.152986 -1.083439
        -0.79729646 -0.9912262 -0.7429546 -1.6239645 -1.409701 -1.1015713 -1.5961636 -0.8119145
        -1.4223009 -1.2747104 -1.3973515 -1.109854 -1.083439 -1.4223009 -0.8650036 -1.2747104
        -1.1132421 -0.8650036 -0.8650036 -0.5432091 -1.4223009 -2.2895012 -1.1852727 -0.83760345""",
    3: """-0.80126524 -2.0482671 -1.5562032 -2.1023614 -0.75507796 -1.1188726 -1.1649761 -1.1352236
        -0.80126524 -0.88105947 -0.74809504 -1.5869973 -1.5399212 -1.1852815 -1.5923222 -0.456819
        -1.4283496 -0.90839416 -1.4404743 -1.20823 -1.1352236 -1.4283496 -0.8363279 -1.2388207
        -1.2560896 -0.8644314 -1.079212 -0.6665939 -1.4283496 -2.1903374 -1.1852727 -0.908268""",
    5: """-0.80126524 -2.0078225 -1.5562032 -2.1023614 -0.75507796 -1.1033398 -1.1649761 -1.1196908
        -0.80126524 -1.2478008 -0.57950413 -2.1860611 -1.5243883 -1.1852815 -1.5981889 -0.487327
        -1.4283496 -0.9361365 -1.7259715 -1.1926972 -1.1196908 -1.4283496 -0.85716766 -1.5729076
        -1.2405567 -0.7735022 -1.4132988 -0.6658397 -1.4283496 -2.1748047 -1.1852727 -0.908268""",
}


@pytest.mark.parametrize("order", KENLM)
def test_every_token_of_a_text_of_ours_as_kenlm_scores_it(order: int) -> None:
    train = gold_text(80, 1)
    vocabulary = build_vocabulary("word", train)
    trained = kneser_ney.estimate(
        encode_lines(vocabulary, train), NGramConfig(order=order), len(vocabulary)
    )
    assert len(trained.notes) == (2 if order == 5 else 0)
    tokens = encode_lines(vocabulary, [*gold_text(5, 2), "ash zebra bay"])
    found = score(tokens, trained, order, len(vocabulary)) / np.log(10)
    np.testing.assert_allclose(found, [float(number) for number in KENLM[order].split()], atol=2e-6)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"order": 0}, r"model\.order is 0; use 1 to 256"),
        ({"order": 257}, r"model\.order is 257; use 1 to 256"),
        ({"estimator": "katz"}, r"model\.estimator is 'katz'; choose one of kneser_ney"),
        ({"min_counts": (1, 0)}, r"model\.min_counts is \(1, 0\)"),
        ({"min_counts": ()}, r"model\.min_counts is \(\)"),
        (
            {"estimator": "maximum_likelihood", "min_counts": (2,)},
            r"min_counts is \(2,\), but the estimator max",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_told(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        NGramConfig(**setting)


def read_lines(path: Path) -> list[str]:
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize(("order", "perplexity"), [(2, 46.86931), (3, 49.38219), (5, 49.08375)])
def test_every_token_as_kenlm_scores_it(order: int, perplexity: float) -> None:
    folder = SHARED / "oracles" / "kn"
    train = read_lines(folder / "train.txt")
    vocabulary = build_vocabulary("word", train)
    trained = kneser_ney.estimate(
        encode_lines(vocabulary, train), NGramConfig(order=order), len(vocabulary)
    )
    tokens = encode_lines(vocabulary, read_lines(folder / "test.txt"))
    found = score(tokens, trained, order, len(vocabulary)) / np.log(10)
    gold = [float(row.split("\t")[2]) for row in read_lines(folder / f"gold.{order}.tsv")[1:]]
    np.testing.assert_allclose(found, gold, atol=1e-4)
    assert 10 ** -found.mean() == pytest.approx(perplexity, abs=1e-3)


@pytest.mark.parametrize(
    ("order", "validation", "test"),
    [(2, 199.018, 185.705), (3, 157.765, 148.281), (5, 148.007, 141.186)],
)
def test_penn_treebank(order: int, validation: float, test: float) -> None:
    folder = SHARED / "data" / "ptb"
    train = read_lines(folder / "ptb.train.txt")
    vocabulary = build_vocabulary("word", train)
    trained = kneser_ney.estimate(
        encode_lines(vocabulary, train), NGramConfig(order=order), len(vocabulary)
    )
    for name, expected in (("valid", validation), ("test", test)):
        tokens = encode_lines(vocabulary, read_lines(folder / f"ptb.{name}.txt"))
        found = np.exp(-score(tokens, trained, order, len(vocabulary)).mean(dtype=np.float64))
        assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("min_counts", "num_fives", "perplexity"),
    [((1, 1, 1, 1, 2), 1142, 74.356243), ((1,), 51_688, 74.3965)],
)
def test_the_example_of_the_rnnlm_toolkit(
    min_counts: tuple[int, ...], num_fives: int, perplexity: float
) -> None:
    """SRILM's figures; it has no <unk> among its words, and scores none."""
    folder = SHARED / "data" / "rnnlm_example"
    train = read_lines(folder / "train")
    vocabulary = build_vocabulary("word", train)
    config = NGramConfig(order=5, min_counts=min_counts)
    trained = kneser_ney.estimate(encode_lines(vocabulary, train), config, len(vocabulary))
    assert trained.num_ngrams == [3721 + 1, 25_378, 47_562, 54_448, num_fives]
    tokens = encode_lines(vocabulary, read_lines(folder / "test"))
    known = tokens != UNKNOWN_ID
    found = score(tokens, trained, 5, len(vocabulary))[known]
    assert np.exp(-found.mean(dtype=np.float64)) == pytest.approx(perplexity, abs=0.01)
