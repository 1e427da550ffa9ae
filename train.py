"""Train a model: python train.py --config=configs/python_docs_lstm.py --workdir=runs/demo.

Any field of the config can be set: --config.training.num_steps=500. Stopped (Ctrl-C, SIGTERM) and
started again with the same workdir, a run goes on where it was. Without a clone the same is
python -m zoo train python_docs_lstm --workdir=runs/demo, see zoo/commands/train.py.
"""

import signal

if __name__ == "__main__":  # until run_program takes over, Ctrl-C ends this without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

from zoo.commands import train
from zoo.terminal import run_script

if __name__ == "__main__":
    run_script(lambda: train.main(sys.argv[1:]))
