"""Settings that follow from the size of the user's own corpus.

A field that a config leaves open (see `zoo.training.config.leave_open`) is None, and the rule below
chooses its value. A value that the user sets is kept. RESULTS.md has the measurements for the rule.

    classifier   labels   texts     reads with            embeddings    dropout of words, embeddings
                 < 10     < 3,000   nothing, their mean   100, +-0.1    0.3, 0.5
                 < 10     others    GRU, attention        100, +-0.1    0.1, 0.5
                 others   all       GRU, attention        200, +-1      0.1, 0.3

The mean of embeddings is nearly a linear model. It is trained by AdamW with a learning rate of
0.005 and a weight decay of 1. The others are trained by Adam with 0.002, and half of the pooled
vector is dropped. These settings also hold for a small table if the user gives a cell. Large
initial embeddings make single rare words recognisable, which many labels need. Batches have 32
texts, or fewer if an epoch would have fewer than four batches. From 20,000 texts on, batches have
64 texts, and words that occur once are unknown.

    translator   pairs       subwords                    batch   rate
                 < 20,000    40 of 100 pairs, at most    32      0.003
                 < 100,000   4,000 and at least 200      64      0.003
                 others      6,000                       64      0.001

There are at least five subwords for four characters, which Chinese needs.

A run takes about 1,000 steps (classifier with few labels), 2,400 (classifier with many labels),
3,000 (language model) or 3,700 (translator). It takes at most 10, 16, 30 or 20 epochs, and at least
one.
"""

from ml_collections import ConfigDict

from zoo.types import Json

_LEAST_BATCHES = 4  # the fewest batches of an epoch
MANY_LABELS, FEW_TEXTS, MANY_TEXTS = 10, 3000, 20_000
FEW_PAIRS, MANY_PAIRS = 20_000, 100_000


def settings_of_texts(num_texts: int, num_labels: int, cell: str | None = None) -> Json:
    """Returns the settings of a classifier, see the rule above.

    Args:
        num_texts: the number of training texts.
        num_labels: the number of distinct labels.
        cell: the cell that the user gave. With a cell, the other settings suit a network.

    Example:
        >>> settings_of_texts(1000, 2)["model.cell"], settings_of_texts(5000, 50)["model.cell"]
        ('none', 'gru')
    """
    many_labels, many_texts = num_labels >= MANY_LABELS, num_texts >= MANY_TEXTS
    is_bag = num_texts < FEW_TEXTS and not many_labels and cell in (None, "none")
    return {
        "data.batch_size": _batch_size(num_texts, 64 if many_texts else 32),
        "data.min_count": 2 if many_texts else 1,
        "model.cell": "none" if is_bag else "gru",
        "model.hidden_sizes": (128,),
        "model.pooling": "mean" if is_bag else "attention",
        "model.embedding_size": 200 if many_labels else 100,
        "model.init_scale": 1.0 if many_labels else 0.1,
        "model.word_dropout_rate": 0.3 if is_bag else 0.1,
        "model.embedding_dropout_rate": 0.3 if many_labels else 0.5,
        "model.pooled_dropout_rate": 0.0 if is_bag else 0.5,
        "optimizer.name": "adamw" if is_bag else "adam",
        "optimizer.weight_decay": 1.0 if is_bag else 0.0,
        "optimizer.learning_rate": 5e-3 if is_bag else 2e-3,
    }


def _batch_size(num_rows: int, most: int) -> int:
    """Returns a batch size that gives several batches per epoch."""
    return max(1, min(most, num_rows // _LEAST_BATCHES))


def settings_of_pairs(num_pairs: int, num_characters: int) -> Json:
    """Returns the settings of a translator, see the rule above.

    Args:
        num_pairs: the number of training pairs.
        num_characters: the number of distinct characters of the training pairs.
    """
    many = num_pairs >= MANY_PAIRS
    num_subwords = 6000 if many else min(max(2 * num_pairs // 5, 200), 4000)
    return {
        "data.batch_size": _batch_size(num_pairs, 32 if num_pairs < FEW_PAIRS else 64),
        "data.vocabulary_size": max(num_subwords, 5 * num_characters // 4),
        "optimizer.learning_rate": 1e-3 if many else 3e-3,
    }


LENGTHS = frozenset(
    {"training.num_epochs", "training.checkpoint_every_epochs", "evaluation.every_epochs"}
)
_EVALUATIONS, _CHECKPOINTS = 20, 4  # the numbers for a run
_LEAST_STEPS = 25  # between two evaluations, or patience would end a run too early


def lengths(config: ConfigDict, steps_per_epoch: float, *, aim: int, most: float) -> Json:
    """Returns the length of a run in epochs, and its evaluations and checkpoints.

    Lengths that the user gives in steps are kept, and the other lengths follow them.

    Args:
        config: the user's config.
        steps_per_epoch: the number of train steps of an epoch.
        aim: the number of steps that a run should take, but at least one epoch.
        most: the largest number of epochs.

    Example:
        >>> config = ConfigDict(
        ...     {
        ...         "training": {"num_steps": 0, "num_epochs": None, "checkpoint_every_steps": 0},
        ...         "evaluation": {"every_steps": 50},
        ...     }
        ... )
        >>> lengths(config, 100, aim=3000, most=20)["training.num_epochs"]
        20.0
        >>> found = lengths(config, 300, aim=3000, most=20)
        >>> list(found.values())
        [10.0, 2.5, 0.0]
    """
    training = config.training
    num_epochs = training.num_epochs or float(min(max(round(aim / steps_per_epoch), 1), most))
    if training.num_steps:
        num_epochs = training.num_steps / steps_per_epoch
    evaluate = min(max(num_epochs / _EVALUATIONS, _LEAST_STEPS / steps_per_epoch), num_epochs)
    every = {
        "training.num_epochs": (training.num_steps, num_epochs),
        "training.checkpoint_every_epochs": (
            training.checkpoint_every_steps,
            num_epochs / _CHECKPOINTS,
        ),
        "evaluation.every_epochs": (config.evaluation.every_steps, evaluate),
    }
    return {field: 0.0 if steps else round(epochs, 4) for field, (steps, epochs) in every.items()}


def open_in(config: ConfigDict) -> list[str]:
    """Returns the names of the fields of a config that are None, in order."""
    return [
        f"{section}.{name}"
        for section, fields in config.items()
        for name, value in fields.items()
        if value is None
    ]


def fill(config: ConfigDict, values: Json) -> ConfigDict:
    """Returns a config with values for its fields that are None.

    Example:
        >>> config = ConfigDict({"model": {"size": 3, "rate": None}})
        >>> fill(config, {"model.size": 9, "model.rate": 0.5}).model.to_dict()
        {'rate': 0.5, 'size': 3}
    """
    config = config.copy_and_resolve_references()
    for field in open_in(config):
        if field in values:
            section, name = field.split(".")
            with config.ignore_type():
                config[section][name] = values[field]
    return config


def describe(config: ConfigDict, fields: list[str]) -> str:
    """Returns a line with fields and their values, or "" if no value follows from the corpus.

    Lengths in epochs are left out if the user gave them in steps, and sizes if there are no layers.

    Example:
        >>> describe(ConfigDict({"model": {"sizes": (3, 4)}}), ["model.sizes"])
        'by the size of the corpus: model.sizes=3,4'
    """
    told = []
    for field in fields:
        section, name = field.split(".")
        value = config[section][name]
        if field in LENGTHS and not value:
            continue
        if field == "model.hidden_sizes" and config.model.get("cell") == "none":
            continue
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        told.append(f"{field}={shown}")
    return f"by the size of the corpus: {' '.join(told)}" if told else ""
