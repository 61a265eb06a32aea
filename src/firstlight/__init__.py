"""firstlight: from a first neural network to one that wins competitions.

The way data flows, and where to read about each part of it:

    images         datasets/        a file each: CLASSES, SHA256, load(split)
    → network      networks/        a file each: INPUT, PARAMETERS, RECIPES, build(classes)
    + recipe       recipe.py        how a network is trained
    → training     training/        the only loop
    → run folder   runs.py          all that the next verb knows
    → evaluate     evaluate.py      how accurate, and what went wrong; compare.py: of two runs
      figures      figures.py       the pictures of a run
      graph        graphs.py        the two pictures of a network
      export       export.py        for other programs, compared before it is kept
    → use          classify.py      what a picture shows; explain.py: why; read/, serve/: digits

`first_graph.py` is the first lesson's whole program; `cli.py` is the door to all of it.
Nothing heavy is imported here: `import firstlight` costs nothing.
"""

__version__ = "0.1.0"
