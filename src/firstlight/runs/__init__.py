"""The run folder: all that a training leaves, and all that the next verb knows.

runs/NETWORK-DATA-N/
├── run.json            network, data, recipe, seed, versions, command line, data hashes, result
├── pictures.json       if it was trained on a folder of them: which, in which split, which not
├── metrics.jsonl       a line per logged step: step, epoch, split, loss, accuracy, lr, seconds
├── checkpoints/        last.npz (all that resuming needs), best.npz (the weights to keep, so far)
├── model/              model.json (network, classes), weights.npz: the weights that are kept
├── figures/*.png       drawn from the files above
├── evaluation.json
└── MODEL_CARD.md
"""
