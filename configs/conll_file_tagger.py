"""A tagger of your own sentences: a word and its tag a line, a blank line behind each sentence.

    python train.py --config=configs/conll_file_tagger.py --config.data.directory=names.conll \
        --workdir=runs/mine
    python -m zoo tag runs/mine "Ada Lovelace was born in London."

One file is divided at random; a directory holds train.conll and, if you like, valid.conll and
test.conll. Columns are chosen with --config.data.word_column=1 --config.data.tag_column=-1, and the
scheme of spans (IOB1, IOB2, BIOES) is found. --config.data.corpus=conllu_file reads treebanks, and
spans_file a .jsonl of texts whose spans are given in characters.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """A bidirectional LSTM of 2 x 100 over words and a convolution of their characters, a CRF."""
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
