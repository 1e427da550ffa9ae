"""A 5-gram Kneser-Ney model of the Penn Treebank, estimated in a second.

    python train.py --config=configs/penn_treebank_kneser_ney.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_kneser_ney

DIR holds ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """Modified interpolated Kneser-Ney without cut-offs, as KenLM estimates it: test 141.19."""
    config = base_config("ngram_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "word"
    config.evaluation.sample_tokens = 40
    return config
