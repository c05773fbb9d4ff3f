"""`python -m sparsescope`."""

from sparsescope.cli import main

if __name__ == "__main__":
    main()
