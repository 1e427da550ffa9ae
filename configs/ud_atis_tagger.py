"""Parts of speech of questions about flights: Universal Dependencies, UD English Atis.

    python train.py --config=configs/ud_atis_tagger.py \
        --config.data.directory=DIR --workdir=runs/ud_atis

DIR has train.conllu, dev.conllu and test.conllu, or the files with the names of the treebank. Try
--config.data.tag_column=xpos|NAME_OF_A_FEATURE and --config.model.output=crf.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 132  # of 133: 4,274 sentences in batches of 32
NUM_EPOCHS = 10


def get_config() -> ConfigDict:
    """Configures a plain bidirectional LSTM of 2 x 64 over words, with a softmax for each word."""
    config = base_config("tagger")
    config.data.corpus = "ud_atis"
    config.data.bucket_lengths = (12, 24, 48)
    config.data.min_count = 2
    config.model.characters = "none"
    config.model.output = "softmax"
    config.model.embedding_size = 64
    config.model.hidden_sizes = (64,)
    config.model.word_dropout_rate = 0.05
    config.model.embedding_dropout_rate = 0.3
    config.model.output_dropout_rate = 0.3
    config.optimizer.learning_rate = 5e-3
    config.optimizer.schedule = "cosine"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = 5 * STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
