"""`python -m trainlib` does what `trainlib` does."""

from trainlib.cli import main

if __name__ == "__main__":
    main()
