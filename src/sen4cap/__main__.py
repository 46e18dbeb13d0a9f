"""`python -m sen4cap`."""

from sen4cap.cli import main

main()
