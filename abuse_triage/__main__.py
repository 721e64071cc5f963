"""`python -m abuse_triage` is `abuse-triage`."""

from abuse_triage.cli.main import main

main()
