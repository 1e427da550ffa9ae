"""AWD-LSTM on WikiText-2 (Merity et al. 2018): 33 million parameters, for one GPU.

    python train.py --config=configs/wikitext_awd.py \
        --config.data.directory=DIR --workdir=runs/wikitext_awd

DIR has wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens. Published: perplexity 68.6 on
validation and 65.8 on test after a second phase (see configs/penn_treebank_awd.py). This config was
not run to its end here.
"""

from ml_collections import ConfigDict

import zoo

STEPS_PER_EPOCH = 372  # 2,088,628 tokens in 80 streams, in chunks of 70
NUM_EPOCHS = 300


def get_config() -> ConfigDict:
    """Configures penn_treebank_awd with the published batches and dropout for WikiText-2."""
    config = zoo.config("penn_treebank_awd")
    config.data.corpus = "wikitext"
    config.data.batch_size = 80
    config.model.embedding_dropout_rate = 0.65
    config.model.layer_dropout_rate = 0.2
    config.optimizer.learning_rate = 30.0
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.log_every_steps = STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 20 * STEPS_PER_EPOCH
    config.evaluation.every_steps = 5 * STEPS_PER_EPOCH
    return config
