"""Is a film review for or against the film? IMDB (Maas et al. 2011).

    python train.py --config=configs/imdb_classifier.py \
        --config.data.directory=DIR --workdir=runs/imdb

DIR has train.tsv.gz, val.tsv.gz and test.tsv.gz, with lines of label (0 or 1), stars, id and text.
The corpus as TFDS prepares it:

    --config.data.corpus=tfds:imdb_reviews --config.data.directory=TFDS_DIR
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 625  # 20,000 reviews in batches of 32
NUM_EPOCHS = 4


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 64 with max pooling.

    It reads the first 200 and the last 200 tokens of a review, because the end has the conclusion.
    """
    config = base_config("classifier")
    config.data.corpus = "imdb"
    config.data.vocabulary_size = 30_000
    config.data.max_tokens = 400
    config.data.cut = "middle"
    config.data.bucket_lengths = (128, 192, 256, 401)
    config.model.embedding_size = 64
    config.model.hidden_sizes = (64,)
    config.model.head_size = 64
    config.model.word_dropout_rate = 0.3
    config.model.embedding_dropout_rate = 0.3
    config.model.pooled_dropout_rate = 0.5
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
