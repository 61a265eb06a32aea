"""The run folder: all that a training leaves, and all that the next verb knows.

runs/NETWORK-DATA-N/
├── run.json            format, network, data, recipe, seed, command, versions, data hashes, result
├── pictures.json       for a folder of pictures: which are used, in which split, and the faults
├── metrics.jsonl       a line for each logged step: step, epoch, split, loss, accuracy, lr, seconds
├── checkpoints/        last.npz (all that resuming needs), previous.npz (the one before it),
│                       best.npz (the weights to keep, so far)
├── model/              model.json (network, classes, image kind), weights.npz: the kept weights
├── figures/*.png       drawn by the verb that measured what they show
├── events/             what TensorBoard shows: graph and curves; only with the extra tensorboard
├── evaluation.json     on the test split; evaluation-train.json and so on: on anything else
├── MODEL_CARD.md
└── .lock               who trains: see lock.py

Each JSON document has a "checksum" of its other fields, each line of metrics.jsonl has a "crc" that
goes on from the line before it, and each .npz file has the CRC of its arrays. So an error names a
file that is not as it was written. Files of older versions have no checksums and are still read.

    run.py          finds, makes, reads the folder      documents.py   its JSON, a type each
    files.py        files written whole or not at all   checkpoint.py  arrays in a file
    card.py         MODEL_CARD.md                   lock.py        one process trains a run
    fields.py       the types of a document's fields
"""
