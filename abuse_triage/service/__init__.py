"""The running daemon: intake, triage workers, sender, scheduler, and the supervisor over them."""
