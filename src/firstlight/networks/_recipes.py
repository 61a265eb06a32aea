"""A recipe that networks for photographs share."""

from firstlight.recipe import Recipe

# What the papers' recipes, made for a million pictures, cannot: train on a thousand, on a CPU, in
# about an hour. Gradients are clipped and the rate rises slowly, since the first steps of a deep
# network without batch norm are wild. A gradient then moves all weights together by the rate at
# most, ten times that with its momentum: at a fifth of this rate ZFNet hardly moved, and did not
# even learn its few pictures by heart. At this one it would: decay, smoothed labels and
# augmentation keep it from that.
FEW_PICTURES = Recipe(
    epochs=80,
    batch_size=32,
    learning_rate=0.05,
    momentum=0.9,
    weight_decay=5e-3,
    clip=1.0,
    label_smoothing=0.1,
    schedule="one-cycle",
    keep="last",
    augment={"anywhere": 1, "zoom": 0.5, "mirror": 0.5, "colour": 0.3},
    precision="bfloat16",
)
