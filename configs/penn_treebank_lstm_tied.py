"""A regularised LSTM with tied embeddings on the Penn Treebank, for two hours on 2 cores.

    python train.py --config=configs/penn_treebank_lstm_tied.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_lstm_tied

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 1_327  # 929,589 tokens in 20 streams, in chunks of 35
NUM_EPOCHS = 16


def get_config() -> ConfigDict:
    """Configures two layers of 400, dropout 0.35 everywhere, and SGD with a cosine schedule."""
    config = base_config("recurrent_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "word"
    config.data.batch_size = 20
    config.data.sequence_length = 35
    config.data.random_offset = True
    config.model.cell = "lstm"
    config.model.embedding_size = 400
    config.model.hidden_sizes = (400, 400)
    config.model.tie_embeddings = True
    config.model.init_scale = 0.05
    config.model.embedding_dropout_rate = 0.35
    config.model.layer_dropout_rate = 0.35
    config.model.output_dropout_rate = 0.35
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 20.0
    config.optimizer.clip_norm = 0.5
    config.optimizer.weight_decay = 5e-6
    config.optimizer.warmup_steps = 200
    config.optimizer.schedule = "cosine"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    config.evaluation.num_streams = 20
    config.evaluation.sample_tokens = 40
    return config
