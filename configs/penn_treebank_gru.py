"""A GRU language model on the Penn Treebank with the size of penn_treebank_rnn_bptt.

    python train.py --config=configs/penn_treebank_gru.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_gru

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

import zoo

NUM_EPOCHS = 6


def get_config() -> ConfigDict:
    """Configures one layer of 200, tied embeddings, and gradients through whole chunks."""
    config = zoo.config("penn_treebank_rnn_bptt")
    config.model.cell = "gru"
    config.model.truncation = 0
    config.model.embedding_dropout_rate = 0.2
    config.model.output_dropout_rate = 0.3
    config.optimizer.decay_recurrent_kernels = True
    config.training.num_steps = NUM_EPOCHS * config.evaluation.every_steps  # an epoch
    return config
