"""OpenPGP by GnuPG: the one place where it is run, and where the team's keys and those of others are handled."""
