"""What we write: acknowledgements for reporters, digests for handlers."""
