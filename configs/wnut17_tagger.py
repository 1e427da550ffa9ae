"""Names of persons, places, groups, products, ... in tweets and forum posts: WNUT-17.

    python train.py --config=configs/wnut17_tagger.py --config.data.directory=DIR \
        --config.data.word_vectors=glove.twitter.27B.25d.txt --workdir=runs/wnut17

DIR has train.conll, valid.conll and test.conll of Derczynski et al. 2017, with two columns. Most
names of the test split occur in no training sentence, so the vectors and the characters matter
most. Vectors with more numbers need --config.model.embedding_size, too.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 424  # 3,394 sentences in batches of 8
NUM_EPOCHS = 16


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 100, a convolution over characters, and a CRF."""
    config = base_config("tagger")
    config.data.corpus = "wnut17"
    config.data.batch_size = 8
    config.data.lowercase = True
    config.data.keep_word_vectors = True
    config.data.bucket_lengths = (16, 32, 48)
    config.model.embedding_size = 25
    config.model.hidden_sizes = (100,)
    config.model.characters = "convolution"
    config.model.character_embedding_size = 30
    config.model.character_size = 100
    config.model.character_window = 2
    config.model.word_dropout_rate = 0.1
    config.model.embedding_dropout_rate = 0.4
    config.model.output_dropout_rate = 0.4
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 8 * STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
