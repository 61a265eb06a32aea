"""The page: draw a digit and see it read, watch a network learn, look inside it.

    browser ── guard        who may send a request, how large, and for how long
               └── app      the routes
                   ├── fields      the fields of a request, checked
                   ├── content     what all visitors get alike: sent again only if changed
                   ├── digits      a picture → its digits
                   ├── run_views   run folders → what the page shows
                   ├── public_files  images and a network for the browser
                   ├── jobs        trainings (a process each) and evaluations
                   └── worker      the client of tf_worker.py, the process with TensorFlow;
                                   questions.py defines what they exchange
    server          binds an address; addresses and sharing say how others open the page

page_modules.py knows which JavaScript modules import one another: for the site and for exports.

The server itself never imports TensorFlow. It does not store the pictures that it gets, and it does
not open a path that a request names: runs are found by their names in a list of the folder runs/.
"""
