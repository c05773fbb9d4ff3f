"""What the commands beside `evaluate` do, for Python as well; the files in `cli/` only read options and print.

explain     the same images explained for several models side by side
dissect     what the units of a layer respond to, for several models side by side
crosscheck  our engines beside netcal, lime, captum and PyHessian
demo        the two models of the demonstration
"""
