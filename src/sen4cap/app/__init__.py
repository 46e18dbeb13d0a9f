"""The composition root: opens the store, wires the rooms together, offers the verbs.

One module per noun. The console and the command line call these functions and decide nothing.
"""
