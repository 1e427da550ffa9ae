"""The n-gram language model, which predicts the next token from n - 1 tokens by tables.

    log p(w | h) = log_prob(h w)                        if the n-gram h w is in the table
                 = log_backoff(h) + log p(w | h')       otherwise; h' is h without its first token

(Katz 1987, in the form of the ARPA files of SRILM and KenLM). zoo/models/kneser_ney.py and
zoo/models/maximum_likelihood.py estimate the tables.

The tables form a trie. Level m has the m-grams, sorted by their first m - 1 tokens (the parent, an
entry of level m - 1) and then by their last token. So the children of entry i are the entries
first_child[i] to first_child[i+1] of the next level, and a child is found by bisection.

Reading token t updates the suffixes of the history: node_m[t] = child(node_{m-1}[t-1], w_t). The
model is a finite automaton, and this row of nodes is its carry. No n-gram crosses the border of a
sentence, so `<s>` forgets all tokens before it.

Axes: B rows, T time, N tokens or n-grams, V vocabulary.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.checks import check_choice
from zoo.errors import UserError
from zoo.layers.masks import take_step, widen_resets
from zoo.models.output import LMOutput

Array = jax.Array
Level = dict[str, Any]  # arrays by name, see NGramLM
Params = dict[str, Level]

ABSENT = -1  # replaces an entry that is not in the trie
ESTIMATORS = ("kneser_ney", "maximum_likelihood")
MAX_ORDER = 256  # the largest n; a state remembers n - 1 tokens
CHUNK = 256  # the number of children that are written into the distributions at a time


@dataclass(frozen=True)
class NGramConfig:
    """The settings of an n-gram language model.

    Attributes:
        order: n; 2 means bigrams.
        estimator: kneser_ney, or maximum_likelihood, which gives unseen n-grams probability 0.
        min_counts: the smallest count of an n-gram that is kept, for orders 1, 2, ...; the last
            number also holds for all longer n-grams. Kneser-Ney counts the occurrences of n-grams
            of the highest order and at the start of a sentence, and the distinct tokens to the left
            of other n-grams. Words are always kept.
    """

    order: int = 5
    estimator: str = "kneser_ney"
    min_counts: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "min_counts", tuple(self.min_counts))
        if not 1 <= self.order <= MAX_ORDER:
            raise UserError(f"model.order is {self.order}; use 1 to {MAX_ORDER}, such as 5")
        check_choice("model.estimator", self.estimator, ESTIMATORS)
        if not self.min_counts or min(self.min_counts) < 1:
            raise UserError(
                f"model.min_counts is {self.min_counts}; use one count or more, each at least 1"
            )
        if self.estimator == "maximum_likelihood" and max(self.min_counts) > 1:
            raise UserError(
                f"model.min_counts is {self.min_counts}, but the estimator maximum_likelihood uses "
                "no shorter n-grams where it lacks a long one; use model.min_counts=(1,), or "
                "model.estimator=kneser_ney"
            )


@dataclass(frozen=True)
class NGramLM:
    """An n-gram language model over a vocabulary of V tokens.

    It is used like a Flax module, but its parameters are counted, not learned. They are `order_1`,
    `order_2`, ..., up to n or to the longest n-gram. Each has `log_prob` [N] (natural logarithms).
    All but the last also have `log_backoff` [N] and `first_child` int32[N+1], and all but the first
    have `word` int32[N].

    Example:
        >>> word = {"log_prob": jnp.log(jnp.array([0.5, 0, 0.5])), "log_backoff": jnp.zeros(3),
        ...         "first_child": jnp.array([0, 0, 1, 1])}
        >>> pair = {"word": jnp.array([2]), "log_prob": jnp.log(jnp.array([0.9]))}
        >>> model = NGramLM(NGramConfig(order=2), 3)
        >>> output = model.apply({"params": {"order_1": word, "order_2": pair}}, jnp.array([[1]]))
        >>> np.exp(output.logits[0, 0], dtype=float).round(2).tolist()  # after <s>
        [0.5, 0.0, 0.9]
    """

    config: NGramConfig
    vocabulary_size: int

    def apply(
        self,
        variables: dict[str, Params],
        tokens: Array,
        carry: Array | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
    ) -> LMOutput:
        """Returns the distribution of the next token after each token.

        Args:
            variables: {"params": the tables}.
            tokens: int32[B, T].
            carry: int32[B, n-1], the suffixes of the tokens so far, from an earlier call; None
                means that no token was read.
            lengths: int32[B], the number of real tokens of each row, at least 1; None means T.
            resets: bool[B, R], R <= T; True at [b, t] forgets the tokens of row b before step t.

        Returns:
            Log-probabilities, which are also logits, and the carry after the last real token.
        """
        params = variables["params"]
        batch, steps = tokens.shape
        carry = self.zero_carry(batch) if carry is None else carry
        if resets is not None:
            resets = widen_resets(resets, steps)
        nodes = [jnp.asarray(tokens)]
        for index in range(1, min(len(params), self.config.order - 1)):
            before = jnp.concatenate([carry[:, index - 1, None], nodes[-1][:, :-1]], axis=1)
            if resets is not None:
                before = jnp.where(resets, ABSENT, before)
            nodes.append(find_child(jnp, *_levels(params, index), before, nodes[0]))
        log_probs = _distributions(params, [node.reshape(-1) for node in nodes])
        last = jnp.full(batch, steps - 1) if lengths is None else lengths - 1
        final = [take_step(node, last) for node in nodes[: self.config.order - 1]]
        missing = self.config.order - 1 - len(final)
        final += [jnp.full(batch, ABSENT, jnp.int32)] * missing
        following = jnp.stack(final, axis=1).astype(jnp.int32) if final else carry
        return LMOutput(log_probs.reshape(batch, steps, -1), following)

    def zero_carry(self, batch_size: int) -> Array:
        """Returns the carry before the first token."""
        return jnp.full((batch_size, self.config.order - 1), ABSENT, jnp.int32)

    def token_log_probabilities(
        self, params: Params, inputs: np.ndarray, targets: np.ndarray, *, mode: str = "stream"
    ) -> np.ndarray:
        """Returns the log-probability of each target, without the rest of its distribution.

        Args:
            params: the tables, as NumPy arrays or arrays that convert to NumPy without a copy.
            inputs: int32[N], the token before each target; `<s>` before the first token of a
                sentence.
            targets: int32[N].
            mode: has no effect, because an n-gram model never reads beyond its sentence.

        Returns:
            float32[N], natural logarithms.
        """
        del mode
        params = jax.tree.map(np.asarray, params)
        history, total = inputs, params["order_1"]["log_prob"][targets]
        for index in range(1, len(params)):
            if index > 1:
                before = np.concatenate([[ABSENT], history[:-1]])
                history = find_child(np, *_levels(params, index - 1), before, inputs)
            level, longer = _levels(params, index)
            known = history != ABSENT
            backoff = np.where(known, level["log_backoff"][np.where(known, history, 0)], 0)
            child = find_child(np, level, longer, history, targets)
            total = np.where(child == ABSENT, total + backoff, longer["log_prob"][child])
        return total.astype(np.float32)


def _levels(params: Params, order: int) -> tuple[Level, Level]:
    """Returns the tables of the n-grams of an order and of the next order."""
    return params[f"order_{order}"], params[f"order_{order + 1}"]


Entries = TypeVar("Entries", np.ndarray, Array)


def find_child(
    xp: ModuleType, level: Level, longer: Level, parents: Entries, words: Entries
) -> Entries:
    """Returns, for each parent, the entry of its child that ends with a word.

    Args:
        xp: numpy or jax.numpy.
        level: the table of the parents.
        longer: the table of the children.
        parents: int32[...], entries of `level`, or ABSENT.
        words: int32[...], the last word of each child.

    Returns:
        int32[...], entries of `longer`, or ABSENT.

    Example:
        >>> level, longer = {"first_child": np.array([0, 2, 3])}, {"word": np.array([4, 7, 4])}
        >>> find_child(np, level, longer, np.array([0, 1, ABSENT]), np.array([7, 7, 4])).tolist()
        [1, -1, -1]
    """
    first_child, word = level["first_child"], longer["word"]
    known = parents != ABSENT
    parents = xp.where(known, parents, 0)
    low, high = first_child[parents], first_child[parents + 1]
    end, last = high, len(word) - 1
    for _ in range(len(word).bit_length()):
        middle = (low + high) // 2
        above = (low < high) & (word[xp.minimum(middle, last)] < words)
        low, high = xp.where(above, middle + 1, low), xp.where(above, high, middle)
    found = known & (low < end) & (word[xp.minimum(low, last)] == words)
    return xp.where(found, low, ABSENT)


def _distributions(params: Params, nodes: list[Array]) -> Array:
    """Returns log-probabilities [N, V] after the histories with suffixes `nodes`, int32[N] each."""
    words = params["order_1"]["log_prob"]
    log_probs = jnp.broadcast_to(words, (nodes[0].shape[0], len(words)))
    for index in range(1, len(params)):
        level, longer = _levels(params, index)
        known = nodes[index - 1] != ABSENT
        entry = jnp.where(known, nodes[index - 1], 0)
        begin, end = (jnp.asarray(level["first_child"])[entry + step] for step in (0, 1))
        backoff = jnp.where(known, jnp.asarray(level["log_backoff"])[entry], 0)
        end = jnp.where(known, end, begin)
        log_probs = _write_children(longer, begin, end, log_probs + backoff[:, None])
    return log_probs


def _write_children(longer: Level, begin: Array, end: Array, log_probs: Array) -> Array:
    """Writes, in each row, the probabilities of entries `begin` to `end` of the longer table."""
    word, value = jnp.asarray(longer["word"]), jnp.asarray(longer["log_prob"])
    rows = jnp.arange(begin.shape[0])[:, None]
    num_words, last = log_probs.shape[1], len(word) - 1

    def write(state: tuple[Array, Array]) -> tuple[Array, Array]:
        offset, log_probs = state
        index = begin[:, None] + offset + jnp.arange(CHUNK)[None, :]
        safe = jnp.minimum(index, last)
        column = jnp.where(index < end[:, None], word[safe], num_words)  # num_words is dropped
        return offset + CHUNK, log_probs.at[rows, column].set(value[safe], mode="drop")

    def unfinished(state: tuple[Array, Array]) -> Array:
        return state[0] < (end - begin).max()

    return lax.while_loop(unfinished, write, (jnp.zeros((), begin.dtype), log_probs))[1]
