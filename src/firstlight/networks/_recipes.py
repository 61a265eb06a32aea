"""Recipes for photographs, which several networks share."""

from dataclasses import replace

from firstlight.recipe import Recipe

# The papers' recipes are made for a million pictures. This one trains on a thousand pictures, on a
# CPU, in about an hour. The first steps of a deep network without batch norm are wild, so the
# learning rate rises slowly and gradients are clipped: one gradient moves all weights together by
# the learning rate at most, and by ten times that with its momentum. At a fifth of this learning
# rate ZFNet hardly moved and did not even memorise its few pictures. At this one it would memorise
# them; weight decay, label smoothing and augmentation prevent that.
FEW_PICTURES = Recipe(
    epochs=80,
    batch_size=32,
    learning_rate=0.05,
    momentum=0.9,
    weight_decay=5e-3,
    clip_norm=1.0,
    label_smoothing=0.1,
    schedule="one-cycle",
    keep="last",
    augment={"anywhere": 1, "zoom": 0.5, "mirror": 0.5, "colour": 0.3},
    precision="bfloat16",
)

# For networks that take 28×28 grey pixels. They know little of a photograph and do not memorise it
# soon, so the learning rate can be higher. A thousand pictures take a minute or two.
SMALL_PICTURES = replace(FEW_PICTURES, epochs=200, learning_rate=0.1, precision="float32")
