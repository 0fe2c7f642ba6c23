"""Lets `python -m consumer.terminal` be the command `maintenance`."""

from consumer.terminal.app import main

if __name__ == "__main__":
    main()
