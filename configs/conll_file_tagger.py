"""A tagger of your own sentences, with one word and its tag per line and a blank line in between.

    python train.py --config=configs/conll_file_tagger.py --config.data.directory=names.conll \
        --workdir=runs/mine
    python -m zoo tag runs/mine "Ada Lovelace was born in London."

A single file is divided at random. A directory has train.conll and perhaps valid.conll and
test.conll. --config.data.word_column=1 --config.data.tag_column=-1 choose the columns, and the
scheme of spans (IOB1, IOB2, BIOES) is found from the tags. --config.data.corpus=conllu_file reads
treebanks, and spans_file reads a .jsonl file of texts with spans in characters.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 100, a convolution over characters, and a CRF."""
    config = base_config("tagger")
    config.data.corpus = "conll_file"
    config.data.bucket_lengths = (16, 32, 64)
    config.model.characters = "convolution"
    config.model.character_size = 50
    config.model.word_dropout_rate = 0.1
    config.model.embedding_dropout_rate = 0.4
    config.model.output_dropout_rate = 0.4
    config.optimizer.learning_rate = 3e-3
    config.optimizer.schedule = "cosine"
    config.training.num_steps = 2000
    config.training.checkpoint_every_steps = 200
    config.evaluation.every_steps = 200
    return config
