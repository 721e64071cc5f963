"""Domains, addresses and URLs in text: refanged, normalised, and told apart by whose they are."""
