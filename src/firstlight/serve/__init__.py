"""The page: draw a digit and see it read, watch a network learn, look inside.

    browser ── guard    who may ask, how much, for how long
               └── app  what there is to ask
                   ├── answer    a picture → its digits
                   ├── folders   run folders → facts
                   ├── jobs      trainings, a process each
                   └── worker    inside.py: the one process with TensorFlow, when it is needed

The server itself never imports TensorFlow. Nothing that is sent to it is stored, and no path in a
request is opened: runs are found by their names in a list of the folder runs/.
"""
