"""Is a sentence of a film review for or against it? Stanford sentiment treebank, two classes.

    python train.py --config=configs/sst2_classifier.py \
        --config.data.directory=DIR --workdir=runs/sst2

DIR has stsa.binary.train, stsa.binary.dev and stsa.binary.test, with lines "label sentence".
--config.data.corpus=sst5 has five classes, in the files stsa.fine.*.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 216  # 6,920 sentences in batches of 32
NUM_EPOCHS = 12


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 128 with max pooling and much dropout."""
    config = base_config("classifier")
    config.data.corpus = "sst2"
    config.data.bucket_lengths = (16, 32, 64)
    config.model.embedding_size = 100
    config.model.hidden_sizes = (128,)
    config.model.head_size = 100
    config.model.embedding_dropout_rate = 0.6
    config.model.pooled_dropout_rate = 0.5
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 3e-3
    config.optimizer.weight_decay = 0.1
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 4 * STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
