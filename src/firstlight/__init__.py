"""firstlight: from a first neural network to one that wins competitions.

The way data flows, and where to read about each part of it:

    images         datasets/        a file each: CLASSES, SHA256, load(split)
    → network      networks/        a file each: INPUT, PARAMETERS, RECIPES, build(classes)
    + recipe       recipe.py        how a network is trained
    → training     training/        the only loop
    → run folder   runs/            all that the next verb knows
    → evaluate     evaluation/      how accurate it is, and what it got wrong; one run or two
      explain      explanation/     what a network looks at
      figures      figures/         the pictures of a run
      graph        graphs/          the two pictures of a network
      export       exports/         files for other programs, compared before they are kept
    → use          classification.py, reading/, serve/

`first_graph.py` is the first lesson's whole program; `cli.py` is the command line. Nothing heavy is
imported here: `import firstlight` costs nothing.
"""

__version__ = "0.1.0"
