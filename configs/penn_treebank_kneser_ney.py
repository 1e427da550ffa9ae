"""A 5-gram Kneser-Ney model of the Penn Treebank, estimated in a second.

    python train.py --config=configs/penn_treebank_kneser_ney.py \
        --config.data.directory=DIR --workdir=runs/penn_treebank_kneser_ney

DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """Configures modified interpolated Kneser-Ney without cut-offs; test perplexity 141.19.

    KenLM estimates the same model."""
    config = base_config("ngram_lm")
    config.data.corpus = "penn_treebank"
    config.data.vocabulary = "word"
    config.evaluation.sample_tokens = 40
    return config
