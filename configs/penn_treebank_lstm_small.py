"""The small LSTM of Zaremba et al. 2014 on the Penn Treebank.

    python train.py --config=configs/penn_treebank_lstm_small.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_lstm_small

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 2_323  # 929,589 tokens in 20 streams, in chunks of 20


def get_config() -> ConfigDict:
    """Configures two layers of 200, no dropout, and a rate that is halved from epoch 5 on."""
    config = base_config("recurrent_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "word"
    config.data.batch_size = 20
    config.data.sequence_length = 20
    config.model.cell = "lstm"
    config.model.embedding_size = 200
    config.model.hidden_sizes = (200, 200)
    config.model.init_scale = 0.1
    config.model.forget_bias = 0.0
    # The paper sums the loss over the 20 steps of a chunk, and we take the mean. So its rate of 1.0
    # and its norm of 5 are 20 and 0.25 here.
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 20.0
    config.optimizer.clip_norm = 0.25
    config.optimizer.schedule = "step"
    config.optimizer.decay_factor = 0.5
    config.optimizer.decay_start_steps = 4 * STEPS_PER_EPOCH
    config.optimizer.decay_every_steps = STEPS_PER_EPOCH
    config.training.num_steps = 13 * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    config.evaluation.num_streams = 20
    config.evaluation.sample_tokens = 40
    return config
