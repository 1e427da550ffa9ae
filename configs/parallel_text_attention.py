"""A translator for the user's own sentence pairs.

    python train.py --config=configs/parallel_text_attention.py --config.data.directory=PATH \
        --config.data.source_language=de --config.data.target_language=en --workdir=runs/mine

PATH is a directory with train.de and train.en (and, where they are there, valid and test of both),
or one table NAME.de-en.tsv with a tab between a sentence and its translation. Needs the extras
subwords and translation.
"""

from ml_collections import ConfigDict

from configs import multi30k_attention


def get_config() -> ConfigDict:
    """As for the captions, with half the width."""
    config = multi30k_attention.get_config()
    config.data.corpus = "parallel_text"
    config.data.vocabulary_size = 4000
    config.model.hidden_size = 256
    config.training.num_steps = 3000
    config.training.checkpoint_every_steps = 500
    config.evaluation.every_steps = 500
    return config
