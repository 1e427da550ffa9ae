"""The recurrent language model of Mikolov et al. 2010 on the Penn Treebank, by plain BP.

    python train.py --config=configs/penn_treebank_rnn_bp.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_rnn_bp

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

import zoo

NUM_EPOCHS = 11


def get_config() -> ConfigDict:
    """Configures plain backpropagation: the previous state is a constant."""
    config = zoo.config("penn_treebank_rnn_bptt")
    config.model.truncation = 1
    config.training.num_steps = NUM_EPOCHS * config.evaluation.every_steps  # an epoch
    return config
