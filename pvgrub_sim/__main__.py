"""`python -m pvgrub_sim`."""

from pvgrub_sim.cli import entry

if __name__ == "__main__":
    entry()
