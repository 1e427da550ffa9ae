"""A character 5-gram Kneser-Ney model of the manual inside every Python, estimated in a second.

python train.py --config=configs/python_docs_kneser_ney.py --workdir=runs/python_docs_kneser_ney

--config.model.order=2 --config.model.estimator=maximum_likelihood gives the bigram model of a first
lecture on language models. Look at its sample.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """Configures an n-gram model with the corpus and the vocabulary of python_docs_lstm."""
    return base_config("ngram_lm")
