"""`python -m vidence_cli` is the `vidence` command."""

from vidence_cli.main import main

if __name__ == "__main__":
    main(prog_name="vidence")
