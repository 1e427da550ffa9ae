"""What does a question ask for? Six classes of TREC (Li and Roth 2002), or fifty.

    python train.py --config=configs/trec_classifier.py \
        --config.data.directory=DIR --workdir=runs/trec

DIR has train.txt and test.txt, with lines "COARSE:fine question". A tenth of the training questions
is the validation split. --config.data.corpus=trec_fine has the fifty classes.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 153  # 4,907 questions in batches of 32
NUM_EPOCHS = 12


def get_config() -> ConfigDict:
    """Configures a bidirectional GRU of 2 x 128 with attention pooling and dropout."""
    config = base_config("classifier")
    config.data.corpus = "trec"
    config.data.bucket_lengths = (12, 20, 40)
    config.model.cell = "gru"
    config.model.embedding_size = 100
    config.model.hidden_sizes = (128,)
    config.model.pooling = "attention"
    config.model.head_size = 100
    config.model.word_dropout_rate = 0.1
    config.model.embedding_dropout_rate = 0.3
    config.model.pooled_dropout_rate = 0.5
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 4 * STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
