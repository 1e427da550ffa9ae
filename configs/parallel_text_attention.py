"""A translator for the user's own sentence pairs.

    python train.py --config=configs/parallel_text_attention.py --config.data.directory=PATH \
        --config.data.source_language=de --config.data.target_language=en --workdir=runs/mine

PATH is a directory with train.de and train.en, and perhaps valid and test of both languages. Or it
is one table NAME.de-en.tsv with a tab between a sentence and its translation. It needs the extras
subwords and translation.
"""

from ml_collections import ConfigDict

import zoo
from zoo.training.config import leave_open


def get_config() -> ConfigDict:
    """Configures the model for captions, with open fields that `zoo.tasks.by_size` chooses."""
    config = zoo.config("multi30k_attention")
    config.data.corpus = "parallel_text"
    config.data.bucket_lengths = (8, 10, 12, 16, 24, 32, 48, 64, 128)
    config.model.score = "additive"
    config.model.embedding_dropout_rate = 0.4
    config.model.output_dropout_rate = 0.5
    config.optimizer.warmup_steps = 100
    config.evaluation.patience = 5
    leave_open(config)
    return config
