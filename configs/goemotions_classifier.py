"""Which emotions does a comment show, of 27 or none? GoEmotions (Demszky et al. 2020).

    python train.py --config=configs/goemotions_classifier.py \
        --config.data.directory=DIR --workdir=runs/goemotions

DIR has train.tsv, dev.tsv and test.tsv (text, label numbers, id) and labels.txt. The threshold of
each label is chosen on the validation split.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 678  # 43,410 comments in batches of 64
NUM_EPOCHS = 6


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 128 with max pooling and dropout."""
    config = base_config("classifier")
    config.data.corpus = "goemotions"
    config.data.min_count = 2
    config.data.batch_size = 64
    config.data.bucket_lengths = (12, 20, 40)
    config.model.embedding_size = 100
    config.model.hidden_sizes = (128,)
    config.model.head_size = 128
    config.model.word_dropout_rate = 0.1
    config.model.embedding_dropout_rate = 0.3
    config.model.pooled_dropout_rate = 0.4
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 100
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
