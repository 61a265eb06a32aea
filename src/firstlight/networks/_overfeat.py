"""The recipe that the two OverFeat networks share.

Sermanet, Eigen, Zhang, Mathieu, Fergus and LeCun, "OverFeat: integrated recognition, localization
and detection using convolutional networks", arXiv 1312.6229.
"""

from firstlight.recipe import Recipe

# Section 3.1, which does not say after how many epochs training ends.
OVERFEAT_PAPER = Recipe(
    epochs=90,
    batch_size=128,
    learning_rate=0.05,
    momentum=0.6,
    nesterov=False,
    l2=1e-5,
    lr_drops=(30 / 90, 50 / 90, 60 / 90, 70 / 90, 80 / 90),
    lr_drop_factor=0.5,
    init_stddev=0.01,
    augment={"anywhere": 1, "mirror": 0.5},
)
