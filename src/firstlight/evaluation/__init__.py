"""How accurate a network is, and how far to trust it.

accuracy.py      accuracy with its interval, confusion, mistakes; of one run or an ensemble
predictions.py   each image's prediction, as a file
crops.py         which crops of a picture are classified, and how they are averaged
comparison.py    is one of two runs better, or is the difference chance?
calibration.py   the temperature and threshold that go with an exported model
"""

CROPS = ("middle", "ten-crops", "dense")  # as crops.py implements them
