"""A classifier of your own texts: any .csv, .tsv or .jsonl file with named columns.

    python train.py --config=configs/csv_classifier.py --config.data.directory=texts.csv \
        --config.data.text_column=text --config.data.label_column=label --workdir=runs/mine

One file is divided at random; a directory holds train.csv, test.csv and, if you like,
validation.csv. Where a text may have several labels: --config.data.label_separator=,
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config


def get_config() -> ConfigDict:
    """A bidirectional LSTM of 2 x 100 over embeddings of 100, max pooling, dropout."""
    config = base_config("classifier")
    config.data.corpus = "table_file"
    config.data.vocabulary_size = 20_000
    config.data.max_tokens = 400
    config.model.word_dropout_rate = 0.2
    config.model.embedding_dropout_rate = 0.2
    config.model.pooled_dropout_rate = 0.4
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.training.num_steps = 2000
    config.training.checkpoint_every_steps = 200
    config.evaluation.every_steps = 200
    return config
