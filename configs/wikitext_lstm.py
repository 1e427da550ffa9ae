"""A regularised LSTM with tied embeddings on WikiText-2 (Merity et al. 2016).

    python train.py --config=configs/wikitext_lstm.py --config.data.directory=DIR --workdir=DIR2

DIR has wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens.
"""

from ml_collections import ConfigDict

import zoo

STEPS_PER_EPOCH = 2_983  # 2,088,628 tokens in 20 streams, in chunks of 35
NUM_EPOCHS = 16


def get_config() -> ConfigDict:
    """Configures the recipe of the Penn Treebank for a corpus twice as long, with 33,000 words."""
    config = zoo.config("penn_treebank_lstm_tied")
    config.data.corpus = "wikitext"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
