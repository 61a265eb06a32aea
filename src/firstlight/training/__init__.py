"""TRAINING: settings and data go in, a run folder comes out.

trainer.py      a training's begin and end      loop.py        the only loop
state.py        what is being trained           log.py, checkpoints.py
step.py         one step, compiled              optimizer.py   how weights follow gradients
augment.py      training images, changed a little at every step
precision.py    whether bfloat16 is faster here, measured
workers.py      the devices and processes that compute      cluster.py   which processes there are
first_graph.py  the first chapter's graph, as a run
"""
