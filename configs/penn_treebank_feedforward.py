"""The feed-forward language model of Bengio et al. 2003 on the Penn Treebank.

    python train.py --config=configs/penn_treebank_feedforward.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_feedforward

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt. To use pre-trained
vectors, which may be frozen:

    --config.data.word_vectors=glove.6B.50d.txt --config.model.embedding_size=50 \
    --config.training.freeze_word_vectors
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 1_452  # 929,589 tokens in 32 streams, in chunks of 20
NUM_EPOCHS = 5


def get_config() -> ConfigDict:
    """Configures a window of 6 words, 300 hidden units and dropout."""
    config = base_config("feedforward_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "word"
    config.data.batch_size = 32
    config.data.sequence_length = 20
    config.data.random_offset = True
    config.model.window = 6
    config.model.embedding_size = 100
    config.model.hidden_size = 300
    config.model.embedding_dropout_rate = 0.2
    config.model.hidden_dropout_rate = 0.4
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 3e-3
    config.optimizer.weight_decay = 0.1
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 200
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    config.evaluation.num_streams = 20
    config.evaluation.sample_tokens = 40
    return config
