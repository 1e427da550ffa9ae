"""A 5-gram Kneser-Ney model over the words of any UTF-8 text.

    python train.py --config=configs/text_file_kneser_ney.py \
        --config.data.directory=FILE --workdir=DIR

FILE is one file, split 90/5/5 by position, or a directory with train.txt, valid.txt and test.txt.
"""

from ml_collections import ConfigDict

import zoo


def get_config() -> ConfigDict:
    """Configures a model that knows all words.

    With --config.data.min_count=2, words that occur once are <unk>."""
    config = zoo.config("penn_treebank_kneser_ney")
    config.data.corpus = "text_file"
    return config
