"""Names of persons, places, organizations and others in news: CoNLL-2003, English.

    python train.py --config=configs/conll2003_tagger.py --config.data.directory=DIR \
        --config.data.word_vectors=glove.6B.100d.txt --workdir=runs/conll2003

DIR has eng.train, eng.testa and eng.testb, whose last column is the name in IOB1; the model learns
BIOES. --config.data.tag_column=2 chooses the parts of speech, and 3 the chunks.

The recipe is from Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional
LSTM-CNNs-CRF". It has GloVe vectors with 100 numbers, which are trained further, 30 filters over
three characters, an LSTM of 200 units in each direction and a CRF. Dropout 0.5 is applied to the
inputs and outputs of the LSTM. Batches have 10 sentences, and gradients are clipped at 5. The
authors report an F1 of 91.21 on the test split after 50 epochs of SGD with momentum 0.9 and a rate
of 0.015 that falls as 1 / (1 + 0.05 epoch). Their loss is a mean over sentences, and ours a mean
over words; a sentence has 14 words. So the rate is 0.2 here, and it falls with a cosine. The corpus
was not available, so this config was never run.
"""

from ml_collections import ConfigDict

from zoo.training.config import base_config

STEPS_PER_EPOCH = 1498  # 14,987 sentences in batches of 10
NUM_EPOCHS = 50


def get_config() -> ConfigDict:
    """Configures a bidirectional LSTM of 2 x 200, a convolution over characters, and a CRF."""
    config = base_config("tagger")
    config.data.corpus = "conll_file"
    config.data.scheme = "bioes"
    config.data.lowercase = True
    config.data.keep_word_vectors = True
    config.data.batch_size = 10
    config.data.bucket_lengths = (8, 16, 24, 32, 48, 128)
    config.model.embedding_size = 100
    config.model.hidden_sizes = (200,)
    config.model.characters = "convolution"
    config.model.character_embedding_size = 30
    config.model.character_size = 30
    config.model.embedding_dropout_rate = 0.5
    config.model.output_dropout_rate = 0.5
    config.optimizer.name = "momentum"
    config.optimizer.learning_rate = 0.2
    config.optimizer.clip_norm = 5.0
    config.optimizer.schedule = "cosine"
    config.training.num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    config.training.checkpoint_every_steps = STEPS_PER_EPOCH
    config.evaluation.every_steps = STEPS_PER_EPOCH
    return config
