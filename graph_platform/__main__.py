"""`python -m graph_platform`, for an environment whose scripts are not on the path."""

from graph_platform.cli.main import main

if __name__ == "__main__":
    main()
