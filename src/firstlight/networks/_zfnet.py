"""The recipes that the two ZFNets share.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", arXiv 1311.2901.
"""

from dataclasses import replace

from firstlight.networks._layers import PIXEL_STDDEV
from firstlight.networks._recipes import FEW_PICTURES
from firstlight.recipe import Recipe

# Pixels are not divided by their standard deviation. So the weights of conv1 are smaller by that
# factor, and their gradients larger by it.
ZFNET_MODERN = replace(FEW_PICTURES, lr_multipliers={"conv1/kernel": PIXEL_STDDEV**-2})

# Section 3.1: 70 epochs of ImageNet, 12 days. The paper lowers the learning rate "when validation
# error plateaus", but does not say when and by how much. It subtracts each pixel's own mean, and it
# takes ten crops of the middle square; this recipe crops anywhere.
ZFNET_PAPER = Recipe(
    epochs=70,
    batch_size=128,
    learning_rate=0.01,
    momentum=0.9,
    nesterov=False,
    plateau_epochs=5,
    init_stddev=0.01,
    max_filter_rms=0.1,
    augment={"anywhere": 1, "mirror": 0.5},
)
