"""`python -m partway` is the `partway` command."""

from partway.interfaces.cli import main

if __name__ == "__main__":
    main()
