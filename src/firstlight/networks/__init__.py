"""NETWORKS. A network is a file here: INPUT, PARAMETERS, CLASSES, RECIPES and build(classes).

    INPUT        height, width and channels of the images that it takes
    PARAMETERS   number of its trainable parameters for CLASSES classes
    CLASSES      10 if the file does not say it
    RECIPES      how to train it, by name; the first recipe is the default
    PAPER        its authors and year, if it has a paper
    REACHES      recipe → (data, accuracy, seconds), for recipes that were measured
    build        classes → a Keras model: images (N, *INPUT) uint8, as they come → logits

The name on the command line has "-" where the file's name has "_": nin_cifar.py is `nin-cifar`.
Files whose names begin with "_" hold what several networks share.
"""
